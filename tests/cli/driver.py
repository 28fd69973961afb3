"""driver.py -- runs the program as a user would, and reports results as TAP.

A test is a function with the decorator @case; its name is the sentence that holds. It fails by
raising. Every test gets a folder of its own as working directory."""
import array
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
HERE = pathlib.Path(__file__).parent
CASES = []
STARTED = []

# What the program may read; everything else of the caller's environment stays away.
BASE_ENV = {k: os.environ[k] for k in ("PATH", "HOME", "OMP_NUM_THREADS", "ASAN_OPTIONS",
                                       "UBSAN_OPTIONS", "LSAN_OPTIONS") if k in os.environ}
BASE_ENV.setdefault("OMP_NUM_THREADS", "2")
BASE_ENV["OMP_WAIT_POLICY"] = "passive"

# A model so small that hundreds of steps take a second.
TINY = {"--hidden": 12, "--embed": 6, "--batch": 4, "--seq-len": 8, "--log-every": 5,
        "--eval-every": 15, "--sample-length": 20}


def tiny(*arguments):
    """The tiny model's options but for those given, then those given."""
    return [w for o, v in TINY.items() if o not in arguments for w in (o, v)] + list(arguments)


class Skip(Exception):
    """This machine lacks something."""


def case(function):
    CASES.append(function)
    return function


def run(*arguments, env=None, timeout=240, **more):
    """One run to its end; returns what subprocess does, texts decoded leniently."""
    return subprocess.run([PROGRAM, *map(str, arguments)], env={**BASE_ENV, **(env or {})},
                          capture_output=True, timeout=timeout, text=True, errors="replace",
                          **{"stdin": subprocess.DEVNULL, **more})


def start(*arguments, env=None, **more):
    """A run to be talked to; what is left of it when its test ends is killed."""
    STARTED.append(subprocess.Popen([PROGRAM, *map(str, arguments)],
                                    env={**BASE_ENV, **(env or {})},
                                    **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                       "stderr": subprocess.PIPE, **more}))
    return STARTED[-1]


def good(*arguments, **more):
    done = run(*arguments, **more)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-600:]}"
    return done


def refused(code, says, *arguments, **more):
    """The program ends with this code, one message, nothing on stdout."""
    done = run(*arguments, **more)
    shown = " ".join(map(str, arguments))
    assert done.returncode == code, f"{shown}: exit {done.returncode}, not {code}: {done.stderr}"
    last = done.stderr.rstrip("\n").split("\n")[-1]
    assert last.startswith("retrograd: "), f"{shown}: {done.stderr}"
    assert says in last, f"{shown}: '{says}' is not in: {last}"
    assert done.stdout == "", f"{shown}: stdout: {done.stdout}"
    return done


def words(n=6000, seed=1):
    """A text of invented words, the same in every run."""
    chance = random.Random(seed)
    bag = ["".join(chance.choice("abcdefgh") for _ in range(chance.randint(2, 6)))
           for _ in range(60)]
    text = []
    while sum(map(len, text)) < n:
        text.append(chance.choice(bag) + chance.choice([" ", " ", " ", ". ", "\n"]))
    return "".join(text)[:n]


def corpus(path="text.txt", n=6000):
    pathlib.Path(path).write_text(words(n), encoding="utf-8", newline="")
    return path


def train(run_folder, *arguments, **more):
    return good("train", "--data", corpus(), "--run", run_folder, *tiny(*arguments), **more)


def rows(folder):
    text = (pathlib.Path(folder) / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def checkpoint(folder, name="last"):
    return (pathlib.Path(folder) / f"ckpt-{name}.safetensors").read_bytes()


def weights(folder, name):
    """The numbers of one array of single precision in the last checkpoint."""
    data = checkpoint(folder)
    start = 8 + int.from_bytes(data[:8], "little")
    begin, end = json.loads(data[8:start])[name]["data_offsets"]
    return array.array("f", data[start + begin:start + end]).tolist()


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def main():
    failed = 0
    home = os.getcwd()
    print(f"1..{len(CASES)}")
    for number, function in enumerate(CASES, 1):
        name = function.__name__.replace("_", " ")
        folder = tempfile.mkdtemp(prefix="rgcli-")
        os.chdir(folder)
        began = time.monotonic()
        try:
            function()
            result, why = "ok", []
        except Skip as reason:
            name += f" # SKIP {reason}"
            result, why = "ok", []
        except Exception as error:  # every failure of a test is a line of TAP
            result, why = "not ok", f"{type(error).__name__}: {error}".split("\n")
            failed += 1
        while STARTED:
            process = STARTED.pop()
            process.kill()
            process.communicate()
        os.chdir(home)
        shutil.rmtree(folder, ignore_errors=True)
        print(f"{result} {number} - {name}")
        for line in why + [f"{time.monotonic() - began:.2f} s"]:
            print(f"# {line}")
        sys.stdout.flush()
    sys.exit(1 if failed else 0)


__all__ = ["BASE_ENV", "HERE", "PROGRAM", "Skip", "case", "checkpoint", "corpus", "good",
           "json", "main", "os", "pathlib", "refused", "rows", "run", "shutil", "signal", "start",
           "subprocess", "sys", "time", "tiny", "train", "wait_for", "weights",
           "words"]
