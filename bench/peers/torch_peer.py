#!/usr/bin/env python3
"""usage: torch_peer.py RG_BENCH [--row NAME] [--threads N] [--quick]

The train and forward rows of rg_bench, done by PyTorch: one line of JSON of rg_bench, one of
PyTorch and their ratio, in turns. Shapes are read from `rg_bench --list`. Both compute every
gradient, that of the input too, of the mean of squares of the outputs; PyTorch's cells have two
biases, its GRU resets after the product. Without PyTorch the script says so and ends with 0."""
import argparse
import json
import re
import subprocess
import sys
import time

ROW = re.compile(r"^(\S+)\s+(train|forward) (lstm|gru|rnn)(, reset after, same)?"
                 r"(?: T(\d+) B(\d+) I(\d+) H(\d+))?$")


def rows(bench, prefix):
    """(name, what, cell, T, B, I, H) of the rows that PyTorch has a module for."""
    last = None
    for line in subprocess.run([bench, "--list"], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        m = ROW.match(line)
        if not m:
            continue
        name, what, cell, after, *shape = m.groups()
        last = [int(s) for s in shape] if shape[0] else last
        if name.startswith(prefix) and (cell != "gru" or after):
            yield name, what, cell, *last


def ours(bench, name, args):
    command = [bench, "--row", name, "--threads", str(args.threads)]
    lines = subprocess.run(command + ["--quick"] * args.quick, capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return next(line for line in map(json.loads, lines) if line["row"] == name)


def step(torch, what, cell, T, B, I, H):
    net = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell](I, H)
    x = torch.rand(T, B, I, requires_grad=what == "train")

    def train():
        net.zero_grad(set_to_none=True)
        x.grad = None
        net(x)[0].square().mean().backward()

    def forward():
        with torch.inference_mode():
            net(x)

    return train if what == "train" else forward


def measure(body, rounds):
    for _ in range(3):
        body()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        body()
        times.append(1e3 * (time.perf_counter() - begin))
    times.sort()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
    parser.add_argument("bench")
    parser.add_argument("--row", default="")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: nothing to compare with", file=sys.stderr)
        return 0
    torch.set_num_threads(args.threads)
    for name, what, cell, T, B, I, H in rows(args.bench, args.row):
        own = ours(args.bench, name, args)
        times = measure(step(torch, what, cell, T, B, I, H), 5 if args.quick else 15)
        peer = {"row": name, "peer": f"torch-{torch.__version__}", "what": what, "cell": cell,
                "T": T, "B": B, "I": I, "H": H, "threads": args.threads, "ms_min": times[0],
                "ms_med": times[len(times) // 2], "rounds": len(times),
                "ratio": times[0] / own["ms_min"]}
        print(json.dumps(own, separators=(",", ":")))
        print(json.dumps(peer, separators=(",", ":")), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
