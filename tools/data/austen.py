#!/usr/bin/env python3
# austen.py -- six novels of Jane Austen as one UTF-8 text, from Debian's r-cran-janeaustenr.
"""usage: austen.py [OUT]

Fetches Debian's package r-cran-janeaustenr (MIT; the text is in the public domain) with `apt-get
download`, takes the novels out of it without R, and writes OUT, by default austen.txt in the
folder $RETROGRAD_DATA or build/data. Needs neither root nor network if the package lies in the
cache (~/.cache/retrograd). Exit 77: not obtainable here; the reason is on stderr."""
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import zlib

PACKAGE = "r-cran-janeaustenr"
PACKAGE_SHA = "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95"
TEXT_SHA = "65b434d16a8755142bfa95ba19c5f9abd0d30cf3dffe3b6793e834f9f56dcc96"
INSIDE = "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"


def not_obtainable(why):
    print(f"austen.py: {why}", file=sys.stderr)
    sys.exit(77)


def run(command, where):
    """What a command says, and whether it succeeded."""
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    except OSError as error:
        return str(error), False
    return (done.stderr or done.stdout).strip(), done.returncode == 0


def fetch(cache):
    """The package file: the one that is there, else downloaded; with package lists of our own
    where the system has none."""
    own = ["-o", f"Dir::State::Lists={cache}/lists", "-o", f"Dir::Cache={cache}"]
    (cache / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    attempts = [[], [["apt-get", "download", PACKAGE]],
                [["apt-get", *own, "update"], ["apt-get", *own, "download", PACKAGE]]]
    why = ""
    for commands in attempts:
        for command in commands:
            text, ok = run(command, cache)
            why = why if ok else text.splitlines()[-1] if text else "apt-get failed"
        for deb in sorted(cache.glob(f"{PACKAGE}_*.deb"), reverse=True):
            return deb
    not_obtainable(f"cannot download {PACKAGE}: {why}")


def strings(block):
    """The lines of an R character vector: a big-endian count at byte 27, then per string four
    bytes of flags, four of length, UTF-8."""
    count, at = struct.unpack_from(">i", block, 27)[0], 31
    for _ in range(count):
        length = struct.unpack_from(">i", block, at + 4)[0]
        yield block[at + 8:at + 8 + length]
        at += 8 + length


def novels(rdb):
    """An R lazy-load file: per book four bytes of size and one zlib stream."""
    lines = []
    while rdb:
        stream = zlib.decompressobj()
        lines += strings(stream.decompress(rdb[4:]))
        rdb = stream.unused_data
    return b"".join(line + b"\n" for line in lines)


def checked(data, expected, what):
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        sys.exit(f"austen.py: {what}: sha256 {found}, expected {expected}")
    return data


def text_of(deb, cache):
    message, ok = run(["dpkg-deb", "-x", str(deb), str(cache / "unpacked")], cache)
    if not ok:
        not_obtainable(message)
    return checked(novels((cache / "unpacked" / INSIDE).read_bytes()), TEXT_SHA, "text")


def write(out, text):
    """Text and manifest, whole or not at all."""
    manifest = {"package": PACKAGE, "version": "1.0.0", "package_sha256": PACKAGE_SHA,
                "license": "MIT (package), public domain (text)", "sha256": TEXT_SHA,
                "split": "first 90 % of the characters train, next 5 % valid, last 5 % test"}
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, data in ((out, text), (out.parent / "manifest.json",
                                     json.dumps(manifest, indent=1).encode() + b"\n")):
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.write_bytes(data)
        part.replace(path)


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__)
        sys.exit(0 if len(sys.argv) == 2 else 2)
    folder = pathlib.Path(os.environ.get("RETROGRAD_DATA") or "build/data")
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else folder / "austen.txt"
    if out.exists() and hashlib.sha256(out.read_bytes()).hexdigest() == TEXT_SHA:
        return print(out)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = pathlib.Path(home).absolute() / "retrograd"
    deb = fetch(cache)
    checked(deb.read_bytes(), PACKAGE_SHA, deb)
    write(out, text_of(deb, cache))
    print(out)


if __name__ == "__main__":
    main()
