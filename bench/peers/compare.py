#!/usr/bin/env python3
"""usage: compare.py RG_BENCH [--row NAME]... [--threads N] [--rounds N] [--out DIR] [--python EXE]

The train and forward rows of rg_bench beside other programs that compute the same: PyTorch (its
modules, and the cells by hand in eager mode), JAX (a jitted scan), oneDNN (its C API). Each runs in
a process of its own where it is installed, and is left out, with a word on stderr, where not. All
take turns, round by round; before any time counts, losses must agree to 1e-4.

Writes DIR/peers.jsonl (a line per row and program), DIR/peers.md (a table), DIR/peers.svg. A ratio
is the other program's least time over ours: above 1 we are faster. P is the FMA peak of so many
cores, measured before and after each row; a row during which it moves by more than 5 % is repeated.
EXE is the Python that has torch or jax (default: this one)."""
import argparse
import json
import os
import re
import subprocess
import sys
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROW = re.compile(r"^(\S+)\s+(train|forward) (lstm|gru|rnn)(, reset after, same)?"
                 r"(?: T(\d+) B(\d+) I(\d+) H(\d+))?$")
DEFAULT = ["A1", "A2", "A3", "A7", "A11", "B1-before", "B1-after", "B1-small", "B2"]
GATES = {"lstm": 4, "gru": 3, "gru-after": 3, "rnn": 1}


def rows(bench, wanted):
    """(name, what, cell, [T, B, I, H]) of the rows of one layer, by name or its beginning."""
    last, found = None, []
    for line in subprocess.run([bench, "--list"], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        m = ROW.match(line)
        if not m:
            continue
        name, what, cell, after, *shape = m.groups()
        last = [int(s) for s in shape] if shape[0] else last
        found.append((name, what, cell + "-after" * bool(after), last))
    names = {row[0] for row in found}
    return [row for row in found
            if any(row[0] == w if w in names else row[0].startswith(w) for w in wanted)]


class Worker:
    """A program that answers requests, see common.py."""

    def __init__(self, name, command, threads):
        env = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=env)

    def ask(self, request):
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return "no answer"
        return self.process.stdout.readline().strip() or "no answer"

    def open(self, row, threads):
        """The loss, or None and why not."""
        _, what, cell, shape = row
        answer = self.ask(f"open {what} {cell} {' '.join(map(str, shape))} {threads}")
        return (float(answer[6:]), "") if answer.startswith("ready ") else (None, answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def version(command):
    """What the peer calls itself; None where it is not installed."""
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True)
    except OSError:
        return None
    name = done.stdout.strip().removesuffix("+cpu")
    return name if done.returncode == 0 and name else None


def find_peers(bench, python):
    onednn = Path(bench).parent / "onednn_peer"
    for what, command in [("oneDNN", [str(onednn)]),
                          ("PyTorch", [python, str(HERE / "torch_worker.py")]),
                          ("PyTorch, by hand", [python, str(HERE / "torch_worker.py"), "--eager"]),
                          ("JAX", [python, str(HERE / "jax_worker.py")])]:
        name = version(command)
        if name:
            yield name, command
        else:
            print(f"{what} is not installed: left out", file=sys.stderr)


def measure(workers, row, args):
    """Least and median time of every worker that computes the same, and P."""
    ours, most = workers[0], {}
    loss, reason = ours.open(row, args.threads)
    if loss is None:
        raise SystemExit(f"rg_bench: {row[0]}: {reason}")
    racing = [ours]
    for worker in workers[1:]:
        theirs, reason = worker.open(row, args.threads)
        if theirs is None:
            print(f"{row[0]}: {worker.name}: {reason.removeprefix('no ')}", file=sys.stderr)
        elif abs(theirs - loss) > 1e-4 * abs(loss):
            print(f"{row[0]}: {worker.name}: another loss, {theirs:.6g} for {loss:.6g}: left out",
                  file=sys.stderr)
        else:
            racing.append(worker)
    for _ in range(3):
        before = float(ours.ask(f"peak {args.threads}"))
        times = {w.name: [] for w in racing}
        for _ in range(args.rounds):
            for worker in racing:
                times[worker.name].append(float(worker.ask("round")))
        after = float(ours.ask(f"peak {args.threads}"))
        most = {name: (min(t), sorted(t)[len(t) // 2]) for name, t in times.items()}
        if abs(after - before) <= 0.05 * before:
            break
    return most, (before + after) / 2


def lines(row, most, peak, args):
    name, what, cell, (T, B, I, H) = row
    flop = (6 if what == "train" else 2) * T * B * GATES[cell] * H * (I + H)
    own = next(iter(most.values()))[0]
    for program, (least, median) in most.items():
        gflops = 1e-6 * flop / least
        yield {"row": name, "program": program, "what": what, "cell": cell, "T": T, "B": B, "I": I,
               "H": H, "threads": args.threads, "rounds": args.rounds, "ms_min": least,
               "ms_med": median, "gflops": round(gflops, 2), "p_fma": round(peak, 2),
               "f_peak": round(gflops / peak, 4), "ratio": round(least / own, 4)}


def table(data):
    programs = list(dict.fromkeys(d["program"] for d in data))
    yield "| row | cell | T, B, I, H | " + " | ".join(programs) + " |"
    yield "|---" * (3 + len(programs)) + "|"
    for name in dict.fromkeys(d["row"] for d in data):
        of = {d["program"]: d for d in data if d["row"] == name}
        first = next(iter(of.values()))
        cells = [f"{of[p]['ms_min']:.3f} ms, {of[p]['f_peak']:.2f} P"
                 + (f", {of[p]['ratio']:.2f}" if p != programs[0] else "") if p in of else "–"
                 for p in programs]
        yield (f"| {name} | {first['cell']} {first['what']} | {first['T']}, {first['B']}, "
               f"{first['I']}, {first['H']} | " + " | ".join(cells) + " |")


COLORS = ["#2878b5", "#c4622d", "#6a9a3b", "#8e6bb0", "#888888"]


def picture(data, threads):
    """Bars: share of the peak, by row and program."""
    programs = list(dict.fromkeys(d["program"] for d in data))
    names = list(dict.fromkeys(d["row"] for d in data))
    height = 70 + sum(14 * sum(d["row"] == n for d in data) + 14 for n in names)
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" width="760" '
           f'height="{height}" font-family="sans-serif" font-size="11">')
    yield ('<style>text{fill:#222}.back{fill:#fff}@media(prefers-color-scheme:dark)'
           '{text{fill:#ddd}.back{fill:#1b1b1f}}</style>'
           f'<rect class="back" width="760" height="{height}"/>')
    yield (f'<text x="16" y="24" font-size="15">Share of the FMA peak of {threads} '
           f'core{"s" * (threads > 1)}</text>')
    y = 44
    for name in names:
        of = [d for d in data if d["row"] == name]
        first = of[0]
        yield (f'<text x="16" y="{y + 11}">{escape(name)}: {first["cell"]} {first["T"]}, '
               f'{first["B"]}, {first["I"]}, {first["H"]}</text>')
        for d in of:
            yield (f'<rect x="190" y="{y + 1}" width="{360 * d["f_peak"]:.1f}" height="12" '
                   f'fill="{COLORS[programs.index(d["program"]) % 5]}"/>'
                   f'<text x="{196 + 360 * d["f_peak"]:.1f}" y="{y + 11}">{d["f_peak"]:.2f} · '
                   f'{d["ms_min"]:.3f} ms · {escape(d["program"])}</text>')
            y += 14
        y += 14
    yield "</svg>"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench")
    parser.add_argument("--row", action="append")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("."))
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    bench = str(Path(args.bench).resolve())
    workers = [Worker("retrograd", [bench, "--serve"], args.threads)]
    workers += [Worker(name, command, args.threads)
                for name, command in find_peers(bench, args.python)]
    data = []
    for row in rows(bench, args.row or DEFAULT):
        most, peak = measure(workers, row, args)
        for line in lines(row, most, peak, args):
            print(json.dumps(line, separators=(",", ":")), flush=True)
            data.append(line)
    for worker in workers:
        worker.end()
    if not data:
        raise SystemExit("no row of that name; see rg_bench --list")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "peers.jsonl").write_text("".join(json.dumps(d) + "\n" for d in data))
    (args.out / "peers.md").write_text("\n".join(table(data)) + "\n")
    (args.out / "peers.svg").write_text("\n".join(picture(data, args.threads)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
