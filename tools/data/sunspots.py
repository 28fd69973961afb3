#!/usr/bin/env python3
# sunspots.py -- monthly numbers of sunspots since 1749, from Debian's r-base-core.
"""usage: sunspots.py [FOLDER]

Writes sunspots.csv: `year`, `month`, `spots` of 3177 months, from R's data set sunspot.month. The
last fifth is the test. The numbers are facts (WDC-SILSO, Royal Observatory of Belgium)."""
import gzip
import lzma
import re
import struct
import zlib

import common
from common import rmse

PACKAGE = "r-base-core"
WHERE = "usr/lib/R/library/datasets/data/Rdata"
NAME = b"sunspot.month"
FIRST_YEAR = 1749
INTEGERS_2 = b"\0\0\0\x0d\0\0\0\2"   # R's serial form: type, length
STRING = b"\0\4\0\x09"
REALS = b"\0\0\3\x0e"                # an object with attributes
SHA = {"sunspots.csv":
       "4081a91c9a272424795ca9433eb661f92cd30b96e70fae314565b09723062b3e"}


def place(index):
    """Offset and length of an object: R's index is a list of pairs, then, behind the word `names`,
    the list of names."""
    pairs = re.findall(re.escape(INTEGERS_2) + b"(.{8})", index, re.S)
    names = []
    for match in re.finditer(re.escape(STRING) + b"(.{4})", index, re.S):
        length = struct.unpack(">i", match[1])[0]
        names.append(index[match.end():match.end() + length])
    return struct.unpack(">ii", pairs[names.index(NAME) - 1])


def unpacked(block):
    """Four bytes of length; then `Z` and raw LZMA2, or a zlib stream."""
    if block[4:5] != b"Z":
        return zlib.decompress(block[4:])
    raw = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2,
                                                          "preset": 6 | lzma.PRESET_EXTREME}])
    return raw.decompress(block[5:])


def reals(data):
    at = data.index(REALS) + len(REALS)
    n = struct.unpack_from(">i", data, at)[0]
    return struct.unpack_from(f">{n}d", data, at + 4)


def main():
    folder = common.arguments(__doc__, "sunspots", SHA)
    files, package = common.members(PACKAGE, lambda path: path in (f"{WHERE}.rdx", f"{WHERE}.rdb"))
    offset, length = place(gzip.decompress(files[f"{WHERE}.rdx"]))
    spots = reals(unpacked(files[f"{WHERE}.rdb"][offset:offset + length]))
    lines = ["year,month,spots"] + [f"{FIRST_YEAR + i // 12},{i % 12 + 1},{x:.1f}"
                                    for i, x in enumerate(spots)]
    test = range(int(0.8 * len(spots)), len(spots))
    mean = sum(spots[:test[0]]) / test[0]
    common.say(f"{len(spots)} months to {lines[-1]}, the last {len(test)} the test; RMSE a month "
               f"ahead on test: last value {rmse([spots[i] - spots[i - 1] for i in test]):.1f}, "
               f"12 months before {rmse([spots[i] - spots[i - 12] for i in test]):.1f}, mean of "
               f"the training part {rmse([spots[i] - mean for i in test]):.1f}")
    common.write(folder, {"sunspots.csv": ("\n".join(lines) + "\n").encode()}, SHA,
                 {**package, "license": "facts (WDC-SILSO); the package GPL-2+",
                  "rows": len(spots), "split": "by time: the last fifth is the test"})


if __name__ == "__main__":
    main()
