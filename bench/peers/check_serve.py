"""check_serve.py RG_BENCH: what `rg_bench --serve` cannot do is refused, and it goes on serving."""
import subprocess
import sys

REFUSED = ["round", "open train nonsense 2 2 3 4 1", "open train peephole 2 2 3 4 1",
           "open train lstm 2", "peak", "", "round"]
asked = [*REFUSED, "open forward rnn 2 2 3 4 1", "round", "open train nonsense 2 2 3 4 1", "round"]
done = subprocess.run([sys.argv[1], "--serve"], input="\n".join(asked) + "\n", text=True,
                      capture_output=True, timeout=60)
told = done.stdout.splitlines()
assert done.returncode == 0 and done.stderr == "" and len(told) == len(asked), done
assert set(told[:len(REFUSED)] + told[-2:]) == {"no such request"}, told
assert told[-4].startswith("ready ") and float(told[-3]) > 0, told
