"""text.py ROOT -- house rules that the eye would have to count: columns, lengths, words."""
import re
import subprocess
import sys
from pathlib import Path

import tap

MAX_COLUMNS, MAX_LINES, MAX_FUNCTION = 100, 500, 40
# Words of a workshop, not of a house.
WORDS = re.compile(r"\.\./shared|\bTODO\b|\bFIXME\b|\bXXX[ :]|\b(?:issues?|PR) #?\d|\(#\d+\)|"
                   r"HELPERS|design page")
WORDS_OF_THIS_FILE = "tests/hygiene/text.py"
GENERATED = re.compile(r"tests/\w+/golden|tests/golden/|\.json$")  # vectors, made by tools/golden


def tracked(root):
    try:
        names = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True,
                               text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):  # an archive without .git
        names = [str(p.relative_to(root)) for p in Path(root).rglob("*")
                 if p.is_file() and not re.match(r"build|\.", str(p.relative_to(root)))]
    return [n for n in names if n and not GENERATED.search(n) and Path(root, n).is_file()]


def lines_of(name, lines):
    faults = []
    code = re.search(r"\.(c|h|py|sh)$", name)
    for i, line in enumerate(lines, 1):
        if code and len(line) > MAX_COLUMNS:
            faults.append(f"{name}:{i}: {len(line)} columns")
        if line != line.rstrip():
            faults.append(f"{name}:{i}: white space at the end")
        if code and "\t" in line:
            faults.append(f"{name}:{i}: a tab")
    return faults


def length_of(name, lines):
    if not re.search(r"\.(c|h|py|sh)$", name):
        return []
    return [f"{name}: {len(lines)} lines"] if len(lines) > MAX_LINES else []


def functions(lines):
    """(name, lines) of each function: from the head at the margin to the brace at the margin."""
    head, start, inside = None, 0, False
    for i, line in enumerate(lines):
        if inside and line.startswith("}"):
            yield head, i - start + 1
            inside = False
        elif not inside and re.match(r"[A-Za-z_].*\(", line):
            head, start = re.search(r"(\w+)\s*\(", line)[1], i
        elif line == "{":
            inside = True


def functions_of(name, lines):
    if not name.endswith((".c", ".h")) or name.startswith(("tests/", "bench/", "examples/")):
        return []
    return [f"{name}: {f}() has {n} lines" for f, n in functions(lines) if n > MAX_FUNCTION]


def first_line_of(name, lines):
    if not name.endswith((".c", ".h")) or not lines:
        return []
    short = name.removeprefix("include/")
    good = lines[0].startswith(f"/* {short} -- ")
    return [] if good else [f"{name}: first line: {lines[0][:50]}"]


def words_of(name, lines):
    if name == WORDS_OF_THIS_FILE:
        return []
    return [f"{name}:{i}: {m[0]}" for i, line in enumerate(lines, 1) if (m := WORDS.search(line))]


def unknown_functions(text, sources):
    """Functions that a page names, `f()`, and no source defines or calls: K(f) is f per type."""
    named = set(re.findall(r"`(?:K\()?([A-Za-z]\w*)\)?\([^`]*\)`", re.sub(r"^```.*?^```", "", text,
                                                                   flags=re.M | re.S)))
    return sorted(f for f in named if not re.search(rf"\b(K\()?{f}\)?\(", sources))


def pages_of(root, names):
    """Every page against all code."""
    code = [n for n in names if re.search(r"\.[ch]$", n)]
    sources = "\n".join(Path(root, n).read_text() for n in code)
    return [f"{n}: {f}() is nowhere" for n in names if n.endswith(".md")
            for f in unknown_functions(Path(root, n).read_text(), sources)]


RULES = [
    (lines_of, f"lines have at most {MAX_COLUMNS} columns and end cleanly"),
    (length_of, f"files have at most {MAX_LINES} lines"),
    (functions_of, f"functions have at most {MAX_FUNCTION} lines"),
    (first_line_of, "the first line of a file says what it is"),
    (words_of, "no words of a workshop"),
]


def report(per_folder):
    for folder, (files, lines) in sorted(per_folder.items()):
        print(f"# {folder:12} {files:4} files {lines:6} lines")


def main():
    root = sys.argv[1]
    faults = {rule: [] for rule, _ in RULES}
    per_folder = {}
    names = tracked(root)
    for name in names:
        try:
            lines = Path(root, name).read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for rule in faults:
            faults[rule] += rule(name, lines)
        n_files, n_lines = per_folder.get(name.split("/")[0], (0, 0))
        per_folder[name.split("/")[0]] = n_files + 1, n_lines + len(lines)
    for rule, says in RULES:
        tap.check(says, faults[rule])
    tap.check("functions that a page names exist", pages_of(root, names))
    tap.canary("a page about a function that is gone",
               unknown_functions("`here()` and `gone(a, b)`", "K(here)(x) gone"), "gone")
    tap.canary("a long line", lines_of("a.c", ["x" * 101]), "101 columns")
    tap.canary("white space", lines_of("a.md", ["x "]), "white space")
    tap.canary("a long file", length_of("a.c", [""] * 501), "501 lines")
    body = ["static int f(int a,", "             int b)", "{", *["    a++;"] * 38, "}"]
    tap.canary("a long function", functions_of("a.c", body), "f() has 42 lines")
    tap.check("a short function", functions_of("a.c", body[:2] + body[5:]))
    tap.canary("a first line that says nothing", first_line_of("a.c", ["#include <x.h>"]), "a.c")
    for bad in ["see issue 3", "// TODO: later", "as ../shared says", "(#12)"]:
        tap.canary(f"the words {bad.split()[-1]}", words_of("a.c", [bad]), "a.c:1")
    report(per_folder)
    tap.done()


main()
