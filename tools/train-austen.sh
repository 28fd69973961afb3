#!/bin/sh
# train-austen.sh -- sets up, builds, fetches six novels of Jane Austen, and trains an LSTM on them.
#
#     tools/train-austen.sh [OPTION OF retrograd train]...
set -eu
. "$(dirname "$0")/common.sh"

sh tools/setup.sh build
configure build
build build
python3 tools/data/austen.py build/data/austen.txt
exec build/cli/retrograd train --data build/data/austen.txt --embed 64 --schedule cosine \
    --steps 3500 "$@"
