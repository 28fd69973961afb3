#!/bin/sh
# train-austen.sh -- sets up, builds, fetches six novels of Jane Austen, and trains an LSTM on them.
#
#     tools/train-austen.sh                                  # 8.2 M characters, some two minutes
#     tools/train-austen.sh OPTION OF retrograd train...     # these instead of ours
set -eu
. "$(dirname "$0")/common.sh"

sh tools/setup.sh build
configure build
build build
python3 tools/data/austen.py build/data/austen.txt
[ $# -gt 0 ] || set -- --embed 64 --schedule cosine --steps 4000
exec build/cli/retrograd train --data build/data/austen.txt "$@"
