# common.py -- what the scripts of this folder share: packages, parts, checked files.
"""Data come out of Debian packages: the file in ~/.cache/retrograd that is there, else one by
`apt-get download`, which needs no root. Nothing is installed or unpacked to disk. A script writes
into a folder of its set, by default $RETROGRAD_DATA/SET or build/data/SET: the data and a
manifest.json. Exit 77: not obtainable here, the reason is on stderr."""
import csv
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

PARTS = ("train", "valid", "test")
HASHED = ("by the first byte of the SHA-256 of the input: 0-204 train, 205-229 valid, "
          "230-255 test")
SCRIPT = pathlib.Path(sys.argv[0]).name
FACTS = []


def not_obtainable(why):
    print(f"{SCRIPT}: {why}", file=sys.stderr)
    sys.exit(77)


def say(text):
    """A fact of the set, for the reader and the manifest."""
    FACTS.append(text)
    print(text, file=sys.stderr)


def sum_of(data):
    return hashlib.sha256(data).hexdigest()


def arguments(doc, name, sums):
    """The folder to write to: an argument, or that of the set. If all is there, we are done."""
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(doc)
        sys.exit(0 if len(sys.argv) == 2 else 2)
    home = pathlib.Path(os.environ.get("RETROGRAD_DATA") or "build/data")
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else home / name
    if all((folder / n).exists() and sum_of((folder / n).read_bytes()) == s
           for n, s in sums.items()) and (folder / "manifest.json").exists():
        for fact in json.loads((folder / "manifest.json").read_text()).get("facts", ()):
            print(fact, file=sys.stderr)
        print(folder)
        sys.exit(0)
    return folder


def run(command, where):
    """The last line of what a command says, and whether it succeeded."""
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    except OSError as error:
        return str(error), False
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"{command[0]} failed", done.returncode == 0


def fetch(package):
    """A package's file; where the system has no package lists, with lists of our own."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = pathlib.Path(home).absolute() / "retrograd"
    own = ["-o", f"Dir::State::Lists={cache}/lists", "-o", f"Dir::Cache={cache}"]
    (cache / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    attempts = [[], [["apt-get", "download", package]],
                [["apt-get", *own, "update"], ["apt-get", *own, "download", package]]]
    why = ""
    for commands in attempts:
        for command in commands:
            text, ok = run(command, cache)
            why = why if ok else text
        for deb in sorted(cache.glob(f"{package}_*.deb"), reverse=True):
            return deb
    not_obtainable(f"cannot download {package}: {why}")


def members(package, wanted):
    """{path: bytes} of the files of a package for which wanted(path), and what the manifest says
    of the package."""
    deb = fetch(package)
    found = {}
    if not shutil.which("dpkg-deb"):
        not_obtainable("dpkg-deb is not here")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as pipe:
        with tarfile.open(fileobj=pipe.stdout, mode="r|") as tar:
            for member in tar:
                if member.isfile() and wanted(member.name.removeprefix("./")):
                    found[member.name.removeprefix("./")] = tar.extractfile(member).read()
    if pipe.returncode or not found:
        not_obtainable(f"{deb} is damaged or has other files than expected")
    return found, {"package": package, "version": deb.name.split("_")[1].replace("%3a", ":"),
                   "package_sha256": sum_of(deb.read_bytes())}


def part(text):
    """Of an item, by what it reads."""
    byte = hashlib.sha256(text.encode()).digest()[0]
    return PARTS[(byte >= 205) + (byte >= 230)]


def table(columns, rows):
    """A TSV file; cells with quotes are quoted as RFC 4180 says."""
    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n").writerows([columns, *rows])
    return out.getvalue().encode()


def lines(data):
    """A text whose lines end in LF, the last one too."""
    text = data.decode().replace("\r\n", "\n")
    return text if text.endswith("\n") else text + "\n"


def rmse(errors):
    return (sum(e * e for e in errors) / len(errors)) ** 0.5


def stretches(text):
    """The first 90 % of a text's characters, the next 5 %, the last 5 %."""
    n = len(text)
    return text[:n * 90 // 100], text[n * 90 // 100:n * 95 // 100], text[n * 95 // 100:]


def write(folder, files, sums, manifest, out=None):
    """{name: bytes} with their expected sums, and manifest.json; each whole or not at all."""
    for name, data in files.items():
        if sum_of(data) != sums[name]:
            sys.exit(f"{SCRIPT}: {name}: sha256 {sum_of(data)}, expected {sums[name]}")
    manifest = {**manifest, "facts": FACTS, "sha256": sums}
    text = json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in [*files.items(), ("manifest.json", text)]:
        temporary = folder / f"{name}.{os.getpid()}"
        temporary.write_bytes(data)
        temporary.replace(folder / name)
    print(out or folder)
