"""binary.py ROOT CC STATIC SHARED -- manners of the built library, read from the binaries: what it
imports, exports, keeps, and how deep its stack may go."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import tap

# The library never ends, prints to, reconfigures or asks its host (rg_alloc has malloc's default).
FORBIDDEN = set("""
exit _exit _Exit quick_exit abort __assert_fail __assert longjmp _longjmp siglongjmp setjmp _setjmp
printf vprintf fprintf vfprintf puts putchar putc fputs fputc fwrite perror psignal err errx warn
warnx error stdin stdout stderr __printf_chk __vprintf_chk __fprintf_chk __vfprintf_chk
setlocale strtok rand srand random srandom drand48 signal sigaction sigprocmask raise kill
getenv secure_getenv setenv putenv unsetenv environ chdir umask
atof atoi atol strtod strtof strtold strtol strtoul strtoll strtoull __isoc99_strtol
gets strcpy strcat sprintf vsprintf strncpy sscanf __isoc99_sscanf __strcpy_chk __strcat_chk
__sprintf_chk __strncpy_chk mktemp tmpnam tempnam mmap mmap64 qsort bsearch alloca
fork vfork system popen execve execl execv posix_spawn dlopen
openblas_set_num_threads goto_set_num_threads omp_set_num_threads omp_set_dynamic
""".split())
# object: what it may import all the same
EXCEPT = {"kernels_team.c.o": {"omp_set_num_threads"}}  # binds the calling thread, inside a team
FP_GUARD = "kernels_fpstate.c.o"                        # the one place that writes MXCSR
MAX_FRAME = 4096
# Functions that may be met again below themselves, once, with the reason.
BOUNDED = {"rg_check_one"}  # a check of one operation within a check, and never within that
WRITABLE = re.compile(r"\.(data|bss|tdata|tbss|init_array|fini_array|ctors|dtors)(?!\.rel\.ro)\b")


def output(*command):
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def objects(archive, listing):
    """(object, lines) of an nm or objdump listing of an archive."""
    head = r"^(?:" + re.escape(archive) + r"[:\[(])?(\S+\.o)[\])]?:.*$"
    parts = re.split(head, listing, flags=re.M)
    return list(zip(parts[1::2], (p.splitlines() for p in parts[2::2])))


def imports(archive):
    listing = output("nm", "-u", archive)
    return [f"{name} imports {m[1]}" for name, lines in objects(archive, listing)
            for line in lines if (m := re.match(r"\s+U (\S+)", line))
            and m[1].split("@")[0] in FORBIDDEN - EXCEPT.get(name, set())]


def writable(archive):
    """Sections of a nonzero size whose contents could change, or that run code at load time."""
    return [f"{name} has {m[2]} bytes in {m[1]}"
            for name, lines in objects(archive, output("objdump", "-h", archive)) for line in lines
            if (m := re.match(r"\s*\d+\s+(\S+)\s+([0-9a-f]+)\s", line))
            and WRITABLE.match(m[1]) and int(m[2], 16)]


def fp_state(archive):
    listing = output("objdump", "-d", archive)
    return [f"{name} writes MXCSR" for name, lines in objects(archive, listing)
            if name != FP_GUARD and any(re.search(r"\tv?ldmxcsr\b", line) for line in lines)]


def exports(shared, headers):
    declared = set()
    for text in headers:
        text = re.sub(r"/\*.*?\*/|^#[^\n]*", "", text, flags=re.S | re.M)
        declared |= set(re.findall(r"RG_API\b[^;(]*?\b(\w+)\s*\(", text))
    there = {line.split()[-1].split("@")[0]
             for line in output("nm", "-D", "--defined-only", shared).splitlines()}
    return ([f"{name} is exported but not declared" for name in sorted(there - declared)] +
            [f"{name} is declared but not exported" for name in sorted(declared - there)] +
            [f"{name} has no prefix" for name in sorted(there) if not name.startswith("rg_")])


class Code:
    """Functions of a shared library: who calls whom directly, and the stack that each takes."""

    def __init__(self, shared):
        self.name, self.calls, self.frame, at = {}, {}, {}, None
        self.by_plt = {f"{name}@plt": int(address, 16) for address, _, name in
                       (line.split() for line in
                        output("nm", "-D", "--defined-only", shared).splitlines())}
        for line in output("objdump", "-d", "--no-show-raw-insn", shared).splitlines():
            if m := re.match(r"([0-9a-f]+) <(.+)>:$", line):
                at = int(m[1], 16)
                self.name[at], self.calls[at], self.frame[at] = m[2], set(), 0
            elif at is not None:
                self.instruction(at, line)

    def instruction(self, at, line):
        if m := re.search(r"\t(call|jmp)\s+([0-9a-f]+) <([^+>]+)>", line):
            to = self.by_plt.get(m[3], int(m[2], 16))
            if to != at or m[1] == "call":  # a jump to one's own start is a loop
                self.calls[at].add(to)
        elif m := re.search(r"\tsub\s+\$0x([0-9a-f]+),%rsp", line):
            n = int(m[1], 16)
            self.frame[at] += n if n < 1 << 63 else 0  # an addition of 128 is written so
        elif re.search(r"\tpush\s", line):
            self.frame[at] += 8
        elif re.search(r"\tsub\s+%r\w+,%rsp", line):
            self.frame[at] = 1 << 30        # of a size known at run time only

    def recursion(self):
        """Functions from which a chain of calls leads back to themselves."""
        found = []
        for start in self.calls:
            seen, todo = set(), list(self.calls[start])
            while todo:
                f = todo.pop()
                if f in seen or f not in self.calls or self.name[f] in BOUNDED:
                    continue
                seen.add(f)
                todo += self.calls[f]
            if start in seen:
                found.append(f"{self.name[start]} can call itself")
        return found

    def frames(self):
        return [f"{self.name[f]} takes {n} bytes" if n < 1 << 30 else
                f"{self.name[f]} takes a variable amount"
                for f, n in self.frame.items() if n > MAX_FRAME]


def source_paths(shared, root):
    return [f"holds the path {root}"] if str(root).encode() in Path(shared).read_bytes() else []


BAD = r"""
#include <stdio.h>
#include <stdlib.h>
#include <immintrin.h>
int counter;
int exported_without_prefix(int n) { return printf("%d", counter += n); }
void bad_exit(void) { exit(1); }
void bad_state(unsigned x) { _mm_setcsr(x); }
__attribute__((constructor)) void at_load(void) { counter = 3; }
__attribute__((noinline)) int odd(int n, int *x);
__attribute__((noinline)) int even(int n, int *x) { return n ? odd(n - 1, x) + *x : 1; }
__attribute__((noinline)) int odd(int n, int *x) { return n ? even(n - 1, x) + *x : 0; }
int big(void (*use)(char *)) { char room[6000]; use(room); return room[9]; }
int vla(int n, void (*use)(char *)) { char room[n]; use(room); return room[1]; }
"""


def canaries(cc, x86):
    with tempfile.TemporaryDirectory() as tmp:
        source, obj = Path(tmp, "bad.c"), f"{tmp}/bad.c.o"
        archive, shared = f"{tmp}/libbad.a", f"{tmp}/libbad.so"
        source.write_text(BAD if x86 else BAD.replace("#include <immintrin.h>", "")
                          .replace("_mm_setcsr(x)", "(void)x"))
        output(cc, "-O1", "-fPIC", "-c", str(source), "-o", obj)
        output("ar", "rcs", archive, obj)
        output(cc, "-shared", obj, "-o", shared)
        tap.canary("exit is found", imports(archive), "imports exit")
        tap.canary("printing is found", imports(archive), "imports printf")
        tap.canary("a writable global is found", writable(archive), "in .bss")
        tap.canary("a constructor is found", writable(archive), "in .init_array")
        tap.canary("an export without declaration is found", exports(shared, []),
                   "odd is exported but not declared")
        tap.canary("a declaration without export is found",
                   exports(shared, ["RG_API int rg_missing(int a);"]), "rg_missing is declared")
        tap.canary("a path of the build machine is found", source_paths(source, "counter"), "path")
        if x86:
            code = Code(shared)
            tap.canary("ldmxcsr is found", fp_state(archive), "writes MXCSR")
            tap.canary("recursion is found", code.recursion(), "odd can call itself")
            tap.canary("a large frame is found", code.frames(), "big takes")
            tap.canary("a variable frame is found", code.frames(), "vla takes a variable")


def main():
    root, cc, static, shared = sys.argv[1:5]
    headers = [p.read_text() for p in sorted(Path(root, "include/retrograd").glob("*.h"))]
    x86 = "x86-64" in output("objdump", "-f", shared)
    canaries(cc, x86)
    tap.check("the library imports nothing that it must not", imports(static))
    tap.check("the library keeps nothing that can be written", writable(static))
    tap.check("what is exported is what the headers declare", exports(shared, headers))
    tap.check("no path of the build machine is inside", source_paths(shared, root))
    if x86:
        code = Code(shared)
        tap.check("floating-point state is written in one place", fp_state(static))
        tap.check("no function can call itself", code.recursion())
        tap.check(f"no stack frame is above {MAX_FRAME} bytes", code.frames())
    else:
        tap.skip("machine code", "only x86-64 is read")
    tap.done()


main()
