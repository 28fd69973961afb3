# common.sh -- read by the scripts beside it: where things are, and how the project is configured.
# shellcheck shell=sh
cd "$(dirname "$0")/.." || exit 1
PATH=$PATH:/usr/bin:/bin
export PATH
# Many threads that wait by spinning take each other's time.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

# configure FOLDER [OPTION]...: set up a build folder, or bring an old one up to date.
configure() {
    folder=$1
    shift
    if [ -f "$folder/build.ninja" ]; then
        meson setup --reconfigure "$folder" "$@" >"$folder/setup.log" 2>&1
    else
        mkdir -p "$folder"
        meson setup "$folder" "$@" >"$folder/setup.log" 2>&1
    fi || { cat "$folder/setup.log" >&2; return 1; }
}

# build FOLDER [TARGET]...
build() {
    echo "build: $1" >&2
    ninja -C "$@" >"$1/build.log" 2>&1 || { cat "$1/build.log" >&2; return 1; }
}
