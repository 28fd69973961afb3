#!/usr/bin/env python3
"""Writes tests/io/golden/*.np[yz] with NumPy; run once, by hand, the files are checked in:

    python3 tools/golden_npy.py tests/io/golden

Element i, in row-major order, is i - 3 (0 or 1 for b1, i for u1); tests/io/npy.c reads them.
"""
import sys

import numpy as np

folder = sys.argv[1] + "/"


def array(dtype, *shape):
    n = int(np.prod(shape, dtype=int))
    values = np.arange(n) % 2 if dtype == "?" else np.arange(n) - (0 if dtype == "u1" else 3)
    return values.astype(dtype).reshape(shape)


arrays = {
    "f4": array("<f4", 2, 3),
    "f8": array("<f8", 5),
    "i4": array("<i4", 2, 1, 2),
    "i8": array("<i8", 4),
    "u1": array("u1", 3, 3),
    "b1": array("?", 7),
    "scalar": array("<f4"),
    "empty": array("<f4", 0, 3),
    "fortran": np.asfortranarray(array("<f8", 2, 3, 4)),
    "big": array(">f4", 2),
    "half": array("<f2", 2),
}
np.savez(folder + "plain.npz", **arrays)
np.savez_compressed(folder + "packed.npz", zeros=np.zeros(3000, "<f4"), **arrays)
np.save(folder + "matrix.npy", arrays["f4"])
with open(folder + "v3.npy", "wb") as f:
    np.lib.format.write_array(f, arrays["f8"], version=(3, 0))
