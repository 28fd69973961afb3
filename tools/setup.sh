#!/bin/sh
# setup.sh -- installs the Debian packages that are missing, and says which.
#
#     tools/setup.sh [build] [tests]     by default both groups
#
# Needs root or sudo only if something is missing. Elsewhere than on Debian it names what is needed.
set -eu

build="gcc libc6-dev meson pkgconf libopenblas-openmp-dev libjansson-dev zlib1g-dev"
tests="libcriterion-dev g++ python3 mandoc"

wanted=""
for group in "${@:-all}"; do
    case $group in
        build) wanted="$wanted $build" ;;
        tests) wanted="$wanted $tests" ;;
        all)   wanted="$build $tests" ;;
        *)     echo "usage: tools/setup.sh [build] [tests]" >&2; exit 2 ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup: this is no Debian system; what is needed, by Debian's names:$wanted" >&2
    exit 0
fi

missing=""
for package in $wanted; do
    state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "setup: installing$missing" >&2
as_root=""
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: run this as root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of words
install() {
    $as_root apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" $missing >&2
}
# On a bare system the package lists may be missing or old.
install --simulate >/dev/null 2>&1 || $as_root apt-get update -qq
install || { $as_root apt-get update -qq && install; }
