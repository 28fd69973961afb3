"""layering.py ROOT -- who includes whom: the table of docs/ARCHITECTURE.md, checked."""
import re
import sys
from pathlib import Path

import tap

# A folder may include itself, the public headers of its own and of these folders, and these.
ALLOW = {
    "base": "",
    "kernels": "base cblas omp",
    "graph": "base",
    "ops": "graph kernels base",
    "grad": "graph ops base",
    "plan": "graph ops kernels base",
    "check": "grad plan graph ops base",
    "layers": "graph ops base",
    "optim": "graph plan kernels base",
    "io": "base graph",
    "train": "base kernels graph ops grad plan check layers optim io mpi",
    "cli": "public",
    "examples": "public",
}
# Single files that need more than their folder, with the reason.
EXTRA = {
    "graph/graph.h": "grad",     # rg_outcome is a field of every node
    "base/error.h": "graph",     # rg_err and rg_fail() are public, for ops of the user's own
    "kernels/tile.h": "graph",   # rg_kernel_fn: an op of the user's own within a tile program
    "plan/train.c": "grad",      # rg_plan_create_train() is rg_grad() and rg_plan_create()
}
# What lies outside these is free: libc, the compiler.
GUARDED = {"cblas", "omp", "mpi", "public", *ALLOW}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def target(quote, path, folder):
    """The guarded thing that an include reaches: a folder, or an engine."""
    parts = path.split("/")
    if parts[0] == "retrograd":
        if folder in ("cli", "examples"):
            return "public"
        return parts[1].removesuffix(".h")
    if quote == '"' and len(parts) == 1:
        return folder
    return parts[0].removesuffix(".h")


def faults_of(name, text):
    folder = name.split("/")[0]
    allowed = {folder, *ALLOW[folder].split(), *EXTRA.get(name, "").split()}
    return [f"{name} includes {path}" for quote, path in INCLUDE.findall(text)
            if (to := target(quote, path, folder)) in GUARDED and to not in allowed]


def main():
    root = Path(sys.argv[1])
    faults, seen = [], 0
    for folder in ALLOW:
        for path in sorted(root.glob(f"{folder}/**/*.[ch]")):
            seen += 1
            faults += faults_of(str(path.relative_to(root)), path.read_text())
    tap.check(f"{seen} files include what their folder may", faults)
    tap.check("there are files", [] if seen > 20 else ["none found"])
    tap.canary("base knows no graph", faults_of("base/x.c", '#include "graph/graph.h"\n'),
               "base/x.c includes graph/graph.h")
    tap.canary("public headers count as their folder",
               faults_of("graph/x.c", "#include <retrograd/plan.h>\n"), "retrograd/plan.h")
    tap.canary("cblas.h is for kernels", faults_of("plan/x.c", "# include <cblas.h>\n"), "cblas.h")
    tap.canary("the program sees public headers only",
               faults_of("cli/x.c", '#include "io/json.h"\n'), "io/json.h")
    tap.done()


main()
