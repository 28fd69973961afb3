#!/usr/bin/env python3
# weather.py -- four years of Seattle's weather, day by day, from Debian's python3-vega-datasets.
"""usage: weather.py [FOLDER]

Writes weather.csv: date, precipitation, temp_max, temp_min, wind and the label `weather` of 1461
days. The last fifth is the test. Public domain (NOAA)."""
import collections
import csv
import io

import common
from common import rmse

PACKAGE = "python3-vega-datasets"
INSIDE = "usr/lib/python3/dist-packages/vega_datasets/_data/seattle-weather.csv"
SHA = {"weather.csv":
       "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b"}


def main():
    folder = common.arguments(__doc__, "weather", SHA)
    files, package = common.members(PACKAGE, lambda path: path == INSIDE)
    text = common.lines(files[INSIDE])
    rows = list(csv.DictReader(io.StringIO(text)))
    hot = [float(row["temp_max"]) for row in rows]
    label = [row["weather"] for row in rows]
    n, test = len(rows), range(int(0.8 * len(rows)), len(rows))
    usual = collections.Counter(label[:test[0]]).most_common(1)[0][0]
    mean = sum(hot[:test[0]]) / test[0]
    common.say(f"{n} days, the last {len(test)} the test; RMSE of tomorrow's maximum on test: "
               f"today's {rmse([hot[i] - hot[i - 1] for i in test]):.2f}, that of a year before "
               f"{rmse([hot[i] - hot[i - 365] for i in test]):.2f}, mean of the training part "
               f"{rmse([hot[i] - mean for i in test]):.2f}")
    always = sum(label[i] == usual for i in test) / len(test)
    common.say(f"label on test: always {usual} {always:.3f}, yesterday's "
               f"{sum(label[i] == label[i - 1] for i in test) / len(test):.3f}; "
               + ", ".join(f"{k} {c}" for k, c in collections.Counter(label).most_common()))
    common.write(folder, {"weather.csv": text.encode()}, SHA,
                 {**package, "license": "public domain (NOAA)", "rows": n,
                  "split": "by time: the last fifth is the test"})


if __name__ == "__main__":
    main()
