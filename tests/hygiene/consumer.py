"""consumer.py BUILD MESON CC [CXX] -- the installed library, used by a program of one's own through
pkg-config: shared, static, and from C++."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

PROGRAM = """
#include <retrograd/retrograd.h>
#include <stdio.h>

int main(void)
{
    const float x[3] = { 1, 2, 3 };
    rg_params *ps;
    rg_graph *g;
    rg_plan *plan;
    rg_params_create(&ps, 1, NULL);
    rg_graph_create(&g, ps, NULL);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(3));
    rg_val w = rg_param(g, NULL, "w", RG_SHAPE(3), rg_init_const(2));
    rg_val y = rg_sum(rg_square(rg_mul(X, w))), dw;
    rg_grad(&dw, y, &w, 1);
    const rg_val roots[2] = { y, dw };
    if (rg_plan_create(&plan, roots, 2, NULL) || rg_plan_bind(plan, X, x, sizeof x) ||
        rg_plan_run(plan))
        return 1;
    const float *d = (const float *)rg_plan_data(plan, dw);
    printf("%g: %g %g %g, version %d\\n", *(const float *)rg_plan_data(plan, y), d[0], d[1], d[2],
           rg_version());
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return 0;
}
"""
PRINTS = "56: 4 16 36, version 100\n"
CPP = PROGRAM.replace("    rg_plan_destroy", """    size_t bytes = 0;
    rg_graph_print(g,
        [](void *n, const char *, size_t m) { *static_cast<size_t *>(n) += m; }, &bytes);
    if (!bytes)
        return 2;
    rg_plan_destroy""", 1)


def run(*command, **kw):
    """(what it printed, faults)"""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **kw)
    bad = done.returncode != 0
    return done.stdout, [f"{command[0]}: exit {done.returncode}", *done.stderr.splitlines()] * bad


class Stage:
    def __init__(self, build, meson, folder):
        self.folder = Path(folder)
        _, self.faults = run(meson, "install", "-C", build, "--no-rebuild", "--destdir", folder)
        found = sorted(self.folder.rglob("retrograd.pc"))
        self.pc = found[0] if found else self.folder
        self.lib = self.pc.parent.parent
        self.prefix = next((p for p in self.pc.parents if (p / "include").is_dir()), self.folder)

    def flags(self, *args):
        path = f"{self.pc.parent}:{os.environ.get('PKG_CONFIG_PATH', '')}"
        return run("pkg-config", f"--define-variable=prefix={self.prefix}", *args, "retrograd",
                   env={**os.environ, "PKG_CONFIG_PATH": path})

    def program(self, compiler, source, text, static=False):
        """Faults of compiling against the stage and running."""
        path, exe = self.folder / source, self.folder / (source + ".exe")
        path.write_text(text)
        flags, faults = self.flags("--cflags" if static else "--libs", "--cflags")
        if static:  # (--static --libs would link OpenBLAS statically too, and so need gfortran)
            flags += f" {self.lib}/libretrograd.a -fopenmp -lm "
            flags += run("pkg-config", "--libs", "openblas")[0]
        if faults:
            return faults
        _, faults = run(compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", path, "-o", exe,
                        *flags.split())
        if faults:
            return faults
        env = {**os.environ, "LD_LIBRARY_PATH": str(self.lib), "OMP_NUM_THREADS": "2"}
        said, faults = run(exe, env=env)
        if not faults and said != PRINTS:
            faults = [f"it prints: {said}"]
        linked, _ = run("ldd", exe, env=env)
        if ("libretrograd" in linked) == static:
            faults.append("libretrograd is linked the other way")
        return faults



def main():
    build, meson, cc = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(build, meson, folder)
        tap.check("meson installs", stage.faults)
        version, faults = stage.flags("--modversion")
        tap.check("pkg-config finds it", faults or ([] if version == "0.1.0\n" else [version]))
        tap.check("a C program, shared", stage.program(cc, "shared.c", PROGRAM))
        if len(sys.argv) > 4:
            tap.check("a C++ program, shared", stage.program(sys.argv[4], "shared.cc", CPP))
        else:
            tap.skip("a C++ program", "no C++ compiler (Debian package g++)")
        tap.canary("a program that prints something else",
                   stage.program(cc, "other.c", PROGRAM.replace("2));", "3));")), "prints")
        tap.canary("a program that does not compile",
                   stage.program(cc, "bad.c", PROGRAM.replace("rg_version", "rg_vision")),
                   "rg_vision")
        for program in stage.prefix.glob("bin/retrograd"):
            said, faults = run(program, "--version")
            tap.check("the installed program runs", faults or [said] * ("0.1.0" not in said))
        for shared in stage.lib.glob("libretrograd.so*"):
            shared.unlink()
        tap.check("a C program, static", stage.program(cc, "static.c", PROGRAM, static=True))
        headers = {p.name for p in (stage.prefix / "include/retrograd").glob("*.h")}
        here = {p.name for p in
                (Path(__file__).parent.parent.parent / "include/retrograd").glob("*.h")}
        tap.check("all headers are installed", sorted(here - headers))
    tap.done()


main()
