#!/usr/bin/env python3
# austen.py -- six novels of Jane Austen as one UTF-8 text, from Debian's r-cran-janeaustenr.
"""usage: austen.py [OUT]

Writes OUT, by default austen.txt in the folder $RETROGRAD_DATA or build/data, and manifest.json
beside it. The package is MIT-licensed, the text in the public domain. Needs neither root nor
network if the package lies in the cache (~/.cache/retrograd). Exit 77: not obtainable here."""
import hashlib
import struct
import zlib

import common

PACKAGE = "r-cran-janeaustenr"
SHA = "65b434d16a8755142bfa95ba19c5f9abd0d30cf3dffe3b6793e834f9f56dcc96"
INSIDE = "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
TITLES = ("Emma", "Mansfield Park", "Northanger Abbey", "Persuasion", "Pride and Prejudice",
          "Sense and Sensibility")


def strings(block):
    """The lines of an R character vector: a big-endian count at byte 27, then per string four
    bytes of flags, four of length, UTF-8."""
    count, at = struct.unpack_from(">i", block, 27)[0], 31
    for _ in range(count):
        length = struct.unpack_from(">i", block, at + 4)[0]
        yield block[at + 8:at + 8 + length]
        at += 8 + length


def novels():
    """The text of each novel, and what a manifest says of the package."""
    files, package = common.members(PACKAGE, lambda path: path == INSIDE)
    rdb, books = files[INSIDE], []
    while rdb:  # per book four bytes of size and one zlib stream
        stream = zlib.decompressobj()
        books.append(b"".join(line + b"\n" for line in strings(stream.decompress(rdb[4:]))))
        rdb = stream.unused_data
    return books, {**package, "license": "MIT (package), public domain (text)"}


def main():
    out = common.arguments(__doc__, "austen.txt", {})
    if out.exists() and hashlib.sha256(out.read_bytes()).hexdigest() == SHA:
        return print(out)
    books, package = novels()
    common.say("4025028 characters, 81 symbols; the first 90 % train, the next 5 % valid, the last "
               "5 % test; baselines: retrograd train --data FILE --dry-run")
    common.write(out.parent, {out.name: b"".join(books)}, {out.name: SHA}, package, out)


if __name__ == "__main__":
    main()
