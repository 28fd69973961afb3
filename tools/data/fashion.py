#!/usr/bin/env python3
# fashion.py -- Fashion-MNIST, from Debian's dataset-fashion-mnist.
"""usage: fashion.py [FOLDER]

Writes the four IDX files as the package has them, packed by gzip: 60000 + 10000 images of 28x28
bytes, 10 classes. Expat licence (Zalando SE)."""
import gzip
import pathlib

import common

PACKAGE = "dataset-fashion-mnist"
SHA = {
    "train-images-idx3-ubyte.gz":
        "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz":
        "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz":
        "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz":
        "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}


def main():
    folder = common.arguments(__doc__, "fashion", SHA)
    found, package = common.members(PACKAGE, lambda path: pathlib.Path(path).name in SHA)
    files = {pathlib.Path(path).name: data for path, data in found.items()}
    sizes = {}
    for name, data in sorted(files.items()):
        if "labels" in name:
            labels = gzip.decompress(data)[8:]
            sizes[name.split("-")[0]] = len(labels)
            common.say(f"{name}: {len(labels)} labels of {len(set(labels))} classes, each "
                       f"{min(map(labels.count, set(labels)))} to "
                       f"{max(map(labels.count, set(labels)))} times")
    common.say("baseline on test: one of ten .100; valid: taken from train by hash (data.h)")
    common.write(folder, {name: files[name] for name in SHA}, SHA,
                 {**package, "license": "Expat", "parts": sizes,
                  "split": "files train-* and t10k-*, the latter the test"})


if __name__ == "__main__":
    main()
