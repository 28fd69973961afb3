#!/usr/bin/env python3
# doctest.py -- the code in README and docs/ is true: it is compiled and run, or cut from a file.
"""usage: doctest.py ROOT CC LIBRARY [PROGRAM]

Reads README.md and docs/*.md. A fenced block of C carries a tag after its language:

    c run            a whole program: it compiles without a warning and ends with 0; if a block
                     tagged `text output` follows, it prints exactly that
    c from PATH      lines of that file, in one piece
    c add PATH       lines for that file; tests/ops/adding.py adds them to a copy
    sh run           commands, in an empty folder, with PROGRAM (retrograd) in PATH

A block of C without a tag is a fault. Of all pages of the repository links to files must lead
somewhere, those to a place on a page to a heading."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/hygiene"))
import tap  # noqa: E402

FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ +(.*?)\s*$", re.M)
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}


def anchors(text):
    """The places of a page that links can name, as GitHub makes them of headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in
             HEADING.findall(FENCE.sub("", text)))
    return {heading.replace(" ", "-") for heading in plain}


class Book:
    """What the blocks are held against."""

    def __init__(self, root, cc, library, program=None):
        self.root, self.cc, self.library = Path(root).resolve(), cc, Path(library).resolve()
        self.program = Path(program).resolve() if program else None

    def run(self, command, folder):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300,
                              env=ENVIRONMENT)
        faults = [] if done.returncode == 0 else [f"exit {done.returncode}",
                                                  *done.stderr.splitlines()]
        return done.stdout, faults

    def c_run(self, code, output):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "main.c").write_text(code)
            _, faults = self.run([self.cc, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                                  "-O1", f"-I{self.root / 'include'}", "main.c", "-o", "main",
                                  str(self.library), f"-Wl,-rpath,{self.library.parent}", "-lm"],
                                 folder)
            if faults:
                return faults
            said, faults = self.run(["./main"], folder)
            if output is not None and said != output:
                faults += ["it prints:", *said.splitlines()]
            return faults

    def c_from(self, code, path):
        source = self.root / path
        if not source.is_file():
            return [f"there is no {path}"]
        plain = [line.strip() for line in code.strip().splitlines()]
        lines = [line.strip() for line in source.read_text().splitlines()]
        n = len(plain)
        found = any(lines[i:i + n] == plain for i in range(len(lines) - n + 1))
        return [] if found else [f"these lines are not in {path}"]

    def sh_run(self, code):
        path = f"{self.program.parent}:{ENVIRONMENT['PATH']}" if self.program else ""
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["sh", "-eu", "-c", code], cwd=folder, capture_output=True,
                                  text=True, timeout=300, env={**ENVIRONMENT, "PATH": path})
            return [] if done.returncode == 0 else [f"exit {done.returncode}",
                                                    *done.stderr.splitlines()]

    def block(self, tag, code, output):
        """The faults of one block; None if it claims nothing."""
        words = tag.split()
        if words[:2] == ["c", "run"]:
            return self.c_run(code, output)
        if words[:2] == ["c", "from"] and len(words) == 3:
            return self.c_from(code, words[2])
        if words[:2] == ["sh", "run"]:
            return self.sh_run(code) if self.program else None
        if words[:2] == ["c", "add"]:
            return None
        if words[:1] == ["c"]:
            return ["a block of C needs `run` or `from PATH`"]
        return None

    def page(self, name, text):
        blocks = list(FENCE.finditer(text))
        for i, m in enumerate(blocks):
            follows = blocks[i + 1] if i + 1 < len(blocks) else None
            output = follows[2] if follows and follows[1].strip() == "text output" else None
            faults = self.block(m[1].strip(), m[2], output)
            if faults is not None:
                yield f"{name}:{text[:m.start()].count(chr(10)) + 1}: {m[1].strip()}", faults
        yield f"{name}: links", self.dead(name, text)

    def dead(self, name, text):
        """The links that lead nowhere."""
        for path, place in LINK.findall(FENCE.sub("", text)):
            target = (self.root / name).parent.joinpath(path.strip()) if path else None
            if target and not target.exists():
                yield f"{path} leads nowhere"
            elif place and place not in anchors(target.read_text() if target else text):
                yield f"{path}#{place}: no such heading"


BAD = """
```c run
int main(void) { return undefined; }
```
```c run
int main(void) { return 3; }
```
```c run
#include <stdio.h>
int main(void) { puts("one"); return 0; }
```
```text output
two
```
```c from LICENSE
no such line
```
```c
int untagged;
```
[nowhere](no/such/file.md) [no place](#of-this-page)
"""


def main():
    book = Book(*sys.argv[1:])
    for page in [book.root / "README.md", *sorted((book.root / "docs").glob("*.md"))]:
        if page.is_file():
            for what, faults in book.page(str(page.relative_to(book.root)), page.read_text()):
                tap.check(what, list(faults))
    for page in sorted({*book.root.glob("*.md"), *book.root.glob("*/README.md"),
                        *book.root.glob("*/*/README.md")} - {book.root / "README.md"}):
        name = str(page.relative_to(book.root))
        tap.check(f"{name}: links", list(book.dead(name, page.read_text())))
    found = [fault for _, faults in book.page("bad.md", BAD) for fault in faults]
    for name, says in [("what does not compile", "undefined"), ("what fails", "exit 3"),
                       ("other output", "one"), ("lines of no file", "not in LICENSE"),
                       ("a block without a tag", "needs `run`"), ("a dead link", "leads nowhere"),
                       ("a dead place", "no such heading")]:
        tap.canary(name, found, says)
    tap.done()


main()
