"""adding.py ROOT CC LIBRARY -- does what docs/ADDING_AN_OP.md says, to a copy: one source file and
one header, and the new operation passes every sweep. LIBRARY is the static one."""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT, CC, LIBRARY = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
sys.path.insert(0, str(ROOT / "tests/hygiene"))
import tap  # noqa: E402

# Where the page says that the lines go.
PLACE = {"ops/elementwise.c": (r"^    _\(softplus,.*\n", True),
         "include/retrograd/ops.h": (r"^RG_API rg_val rg_sin\(.*\n", False)}
WRAPPED = ["malloc", "calloc", "realloc", "aligned_alloc", "free"]
PROBE = """
#include "ops/ops.h"
#include "tests/rgt.h"
#include <string.h>
RGT_TEST(adding, the_table_knows_the_new_op)
{
    bool found = false;
    for (size_t i = 0; i < rg_op_count(); i++)
        found = found || strcmp(rg_op_at(i)->name, "log_1_plus") == 0;
    RGT_CHECK(found);
}
RGT_TEST(adding, the_new_op_is_public)
{
    rg_graph *g = NULL;
    RGT_CHECK(rg_graph_create(&g, NULL, NULL) == RG_OK);
    RGT_CHECK(rg_log_1_plus(rg_const(g, 1)).id != 0);
    rg_graph_destroy(&g);
}
"""


def added(page):
    """What the page adds, by path."""
    return dict(re.findall(r"^```c add (\S+)\n(.*?)^```$", page, re.M | re.S))


def copy_with(folder, lines):
    shutil.copytree(ROOT / "include", Path(folder, "include"))
    Path(folder, "ops").mkdir()
    for path, (pattern, after) in PLACE.items():
        text = (ROOT / path).read_text()
        at = re.search(pattern, text, re.M)
        cut = at.end() if after else at.start()
        Path(folder, path).write_text(text[:cut] + lines[path] + text[cut:])


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    said = (done.stdout + done.stderr).splitlines()
    return [] if done.returncode == 0 else [f"exit {done.returncode}"] + [
        line for line in said if not line.startswith("ok ")]


def sweeps(lines, parts):
    """Compile the two changed files with the sweeps, and run those."""
    with tempfile.TemporaryDirectory() as folder:
        copy_with(folder, lines)
        Path(folder, "probe.c").write_text(PROBE)
        sources = [f"{folder}/probe.c", f"{folder}/ops/elementwise.c",
                   *map(str, (ROOT / "tests/ops").glob("*.c")),
                   *(str(ROOT / "tests" / f) for f in ("rgt.c", "rgt_memory.c", "plain_main.c"))]
        faults = run([CC, "-std=c11", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror",
                      "-DRGT_PLAIN", f"-I{folder}", f"-I{folder}/include", f"-I{ROOT}",
                      f"-I{ROOT}/include", *sources, LIBRARY, "-o", f"{folder}/sweeps", "-fopenmp",
                      "-lopenblas", "-lm", *(f"-Wl,--wrap={f}" for f in WRAPPED)])
        return faults or run([f"{folder}/sweeps", *parts])


PAGE = (ROOT / "docs/ADDING_AN_OP.md").read_text()
LINES = added(PAGE)
tap.check("the page changes one source file and one header",
          [] if set(LINES) == set(PLACE) else [f"it changes {sorted(LINES)}"])
tap.check("the new op passes every sweep", sweeps(LINES, ["adding/", "ops/", "special/"]))
WRONG = {path: text.replace("rg_shift(x, 1)", "rg_shift(x, 2)") for path, text in LINES.items()}
tap.canary("a new op with a wrong rule", sweeps(WRONG, ["ops/gradients_agree"]), "log_1_plus")
tap.done()
