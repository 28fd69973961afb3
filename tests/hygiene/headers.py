"""headers.py FOLDER CC [CXX] -- every public header compiles alone, as C11 and as C++17."""
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

WARN = ["-Wall", "-Wextra", "-Wpedantic", "-pedantic-errors", "-Werror", "-fsyntax-only"]


def compile_alone(compiler, args, folder, text):
    run = subprocess.run([compiler, *args, *WARN, f"-I{folder}", "-"], input=text, text=True,
                         capture_output=True)
    return run.stderr.splitlines() or ["failed"] if run.returncode else []


def language(folder, compiler, args, label):
    for header in sorted(Path(folder, "retrograd").glob("*.h")):
        text = f"#include <retrograd/{header.name}>\n#include <retrograd/{header.name}>\n"
        text += "int nothing(void);\n"
        tap.check(f"{header.name} compiles alone as {label}",
                  compile_alone(compiler, args, folder, text))
    with tempfile.TemporaryDirectory() as bad:
        Path(bad, "retrograd").mkdir()
        Path(bad, "retrograd", "bad.h").write_text("static inline int64_t f(int n) { return n; }\n")
        tap.canary(f"a header that needs another is found as {label}",
                   compile_alone(compiler, args, bad, "#include <retrograd/bad.h>\n"), "int64_t")


def main():
    folder, cc = sys.argv[1:3]
    language(folder, cc, ["-xc", "-std=c11", "-Wstrict-prototypes"], "C11")
    if len(sys.argv) > 3:
        language(folder, sys.argv[3], ["-xc++", "-std=c++17"], "C++17")
    else:
        tap.skip("C++17", "no C++ compiler (Debian package g++)")
    tap.done()


main()
