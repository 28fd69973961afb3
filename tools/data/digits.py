#!/usr/bin/env python3
# digits.py -- images of digits, 8x8, from Debian's python3-sklearn.
"""usage: digits.py [FOLDER]

Writes digits.csv: columns p0 ... p63 (0 to 16, row by row), `digit` and `word`, its English name.
The first 1437 images are to be trained on, the last 360 are the test. BSD-3."""
import gzip

import common

PACKAGE = "python3-sklearn"
INSIDE = "usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz"
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TRAIN = 1437
SHA = {"digits.csv":
       "f161c2a3bf3ea6ebb0b8ae1ddb887776a1610d4f23db103cdeb7736bad5cc141"}


def nearest_mean(rows):
    """Share of the test whose class has the nearest mean image."""
    means = []
    for digit in range(10):
        images = [r[:64] for r in rows[:TRAIN] if r[64] == digit]
        means.append([sum(column) / len(images) for column in zip(*images)])
    right = 0
    for row in rows[TRAIN:]:
        distance = [sum((a - b) ** 2 for a, b in zip(row, mean)) for mean in means]
        right += distance.index(min(distance)) == row[64]
    return right / len(rows[TRAIN:])


def main():
    folder = common.arguments(__doc__, "digits", SHA)
    files, package = common.members(PACKAGE, lambda path: path == INSIDE)
    text = gzip.decompress(files[INSIDE]).decode()
    rows = [[int(cell) for cell in line.split(",")] for line in text.split()]
    head = [f"p{i}" for i in range(64)] + ["digit", "word"]
    lines = [",".join(head)] + [",".join(map(str, [*row, WORDS[row[64]]])) for row in rows]
    common.say(f"{len(rows)} images: {TRAIN} train, {len(rows) - TRAIN} test; baselines on test: "
               f"nearest class mean {nearest_mean(rows):.3f}, one of ten .100 (CE 2.303)")
    common.write(folder, {"digits.csv": ("\n".join(lines) + "\n").encode()}, SHA,
                 {**package, "license": "BSD-3", "rows": len(rows),
                  "split": f"in order: the first {TRAIN} train, the last {len(rows) - TRAIN} test"})


if __name__ == "__main__":
    main()
