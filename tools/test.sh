#!/bin/sh
# test.sh -- sets up, builds and runs all tests.
#
#     tools/test.sh [ARGUMENT OF meson test]...     e.g. --suite gradcheck
set -eu
. "$(dirname "$0")/common.sh"

sh tools/setup.sh build tests
configure build -Dtests=enabled
build build
meson test -C build --print-errorlogs "$@"
