#!/usr/bin/env python3
"""Mappings of sequences on real data, over several seeds, beside what one gets without a model.

    python3 bench/mappings.py [--seeds 5] [--only surnames] [--retrograd build/cli/retrograd]

makes the data (tools/data/), trains as the table below says, evaluates on the test part, prints a
table, and writes mappings.json beside the runs. Half of the 95 % interval of the mean is Student's
t. Finished runs are kept, so the same command goes on where it was stopped.
"""
import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# name: script, what `train` is told, measures that eval prints
MAPPINGS = {
    "surnames": ("surnames", "--task classify --cell gru --hidden 64 --embed 32 --bidirectional "
                 "--dropout 0.3 --epochs 8", ("acc", "f1")),
    "letters to phones": ("lexicon", "--task seq2seq --cell gru --hidden 96 --embed 32 "
                          "--bidirectional --attention additive --batch 64 --steps 2500 "
                          "--schedule cosine --eval-every 1250", ("per", "acc")),
}

# Student's t, two sides, 95 %, by degrees of freedom
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def run(words):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def trial(program, name, data, seed):
    """Trains and evaluates once; returns what eval says."""
    script, options, _ = MAPPINGS[name]
    folder = ROOT / "build/mappings" / f"{script}-{seed}"
    if not (folder / "done").exists():
        words = [program, "train", "--data", data, "--run", folder, "--seed", seed, "--quiet",
                 "--threads", 1, *options.split()]
        run([program, "train", "--resume", folder, "--quiet"] if folder.exists() else words)
        (folder / "done").touch()
    found = json.loads(run([program, "eval", folder, "--json", "--threads", 1]).splitlines()[-1])
    print(f"{name}, seed {seed}: " + ", ".join(f"{m} {found[m]:.4f}"
                                              for m in MAPPINGS[name][2]), file=sys.stderr)
    return found


def spread(values):
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return mean, T95[len(values) - 2] * sd / math.sqrt(len(values))


def summary(name, trials):
    rows = []
    for m in MAPPINGS[name][2]:
        values = [t[m] for t in trials]
        mean, half = spread(values)
        rows.append({"mapping": name, "measure": m, "mean": mean, "half_95": half,
                     "values": values, "baseline": trials[0]["baselines"][0].get(m),
                     "without": trials[0]["baselines"][0]["name"]})
    return rows


def main():
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--seeds", type=int, default=5, choices=range(1, 11))
    ask.add_argument("--only", choices=list(MAPPINGS))
    ask.add_argument("--retrograd", default=ROOT / "build/cli/retrograd", type=pathlib.Path)
    at = ask.parse_args()
    rows = []
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name in [at.only] if at.only else MAPPINGS:
            data = run([sys.executable, ROOT / f"tools/data/{MAPPINGS[name][0]}.py"]).strip()
            trials = pool.map(lambda seed, n=name, d=data: trial(at.retrograd, n, d, seed),
                              range(1, at.seeds + 1))
            rows += summary(name, list(trials))
    print("| mapping | measure | without a model | mean ± 95 % | seeds |\n|---|---|---|---|---|")
    for r in rows:
        print(f"| {r['mapping']} | {r['measure']} | {r['baseline']:.3f} ({r['without']}) | "
              f"{r['mean']:.3f} ± {r['half_95']:.3f} | "
              f"{', '.join(f'{v:.3f}' for v in r['values'])} |")
    out = ROOT / "build/mappings/mappings.json"
    out.write_text(json.dumps({"v": 1, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
