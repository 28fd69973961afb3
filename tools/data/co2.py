#!/usr/bin/env python3
# co2.py -- carbon dioxide over Mauna Loa by week, with gaps, from Debian's python3-statsmodels.
"""usage: co2.py [FOLDER]

Writes co2.csv: `date` and `co2` (parts per million) of 2284 weeks from 1958, of which 59 are
missing. The last fifth is the test. Public domain (Keeling and Whorf, CDIAC)."""
import common
from common import rmse

PACKAGE = "python3-statsmodels"
INSIDE = "usr/lib/python3/dist-packages/statsmodels/datasets/co2/co2.csv"
SHA = {"co2.csv":
       "16695fa2786e53414e5a6b54767a3fdf5de99cfbc68617f69d1362d92776a92f"}


def rmse_before(values, test, lag):
    """Of what was measured a lag before, where both are there."""
    errors = [values[i] - values[i - lag] for i in test
              if values[i] is not None and values[i - lag] is not None]
    return rmse(errors)


def main():
    folder = common.arguments(__doc__, "co2", SHA)
    files, package = common.members(PACKAGE, lambda path: path == INSIDE)
    text = common.lines(files[INSIDE])
    cells = [line.split(",")[1] for line in text.splitlines()[1:]]
    values = [float(cell) if cell else None for cell in cells]
    test = range(int(0.8 * len(values)), len(values))
    common.say(f"{len(values)} weeks, {values.count(None)} missing, the last {len(test)} the test; "
               f"RMSE a week ahead on test: last value {rmse_before(values, test, 1):.2f}, a year "
               f"before {rmse_before(values, test, 52):.2f}")
    common.write(folder, {"co2.csv": text.encode()}, SHA,
                 {**package, "license": "public domain (Keeling and Whorf, CDIAC)",
                  "rows": len(values), "split": "by time: the last fifth is the test"})


if __name__ == "__main__":
    main()
