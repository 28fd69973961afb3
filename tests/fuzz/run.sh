#!/bin/sh
# tests/fuzz/run.sh -- the fuzz targets under libFuzzer with address and undefined-behaviour checks.
#
#     tests/fuzz/run.sh [--runs N] [--target NAME]      needs clang (Debian: clang-14)
#
# io/ stands on graph/ and base/ alone, so the targets need neither OpenBLAS nor the rest.
set -eu
cd "$(dirname "$0")/../.."
runs=1000000
targets='safetensors npy table idx'
while [ $# -gt 1 ]; do
    case $1 in
        --runs) runs=$2 ;;
        --target) targets=$2 ;;
        *) echo "usage: $0 [--runs N] [--target NAME]" >&2; exit 2 ;;
    esac
    shift 2
done
clang=$(command -v clang || command -v clang-14) || { echo 'run.sh: no clang here' >&2; exit 77; }
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
for target in $targets; do
    "$clang" -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
        -DRG_TRAP_INVARIANTS -DRG_HAVE_ZLIB -I. -Iinclude \
        base/*.c graph/*.c io/*.c "tests/fuzz/$target.c" tests/fuzz/file.c \
        -o "$build/$target" -lm -lz
    mkdir -p "$build/corpus-$target"
    case $target in
        safetensors) seeds='tests/fuzz/corpus/safetensors tests/io/golden' ;;
        npy) seeds='tests/io/golden' ;;
        *) seeds="tests/fuzz/corpus/$target" ;;
    esac
    # shellcheck disable=SC2086
    "$build/$target" -runs="$runs" -timeout=5 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 \
        "$build/corpus-$target" $seeds
done
