"""expect.py PATTERN COMMAND... [-- COMMAND...] -- run commands in a row, in an empty folder; all
must end with 0, and what the last one prints must match PATTERN, a regular expression, anywhere."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def commands(words):
    one = []
    for word in words:
        if word == "--":
            yield one
            one = []
        else:
            one.append(str(Path(word).resolve()) if Path(word).is_file() else word)
    yield one


def main():
    pattern, said = sys.argv[1], ""
    with tempfile.TemporaryDirectory() as folder:
        for command in list(commands(sys.argv[2:])):
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=240)
            said = done.stdout.decode(errors="replace")
            if done.returncode != 0:
                sys.exit(f"{command[0]}: exit {done.returncode}\n{said}{done.stderr.decode()}")
    print(said)
    if not re.search(pattern, said):
        sys.exit(f"nothing printed matches {pattern}")


main()
