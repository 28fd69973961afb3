"""lecture.py -- what the lecture's page tells to run exists: commands with their options, examples,
scripts; every statement and every row of both tables has something."""
import re

from driver import *

ROOT = HERE.parent.parent
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)


def faults_of(text, root=ROOT):
    """What a page names that is not there."""
    faults = []
    for line in "".join(BLOCK.findall(text)).splitlines():
        words = line.split()
        if words[0] == "retrograd":
            told = run(words[1], "--help")
            if told.returncode:
                faults.append(f"{line}: no such command")
            faults += [f"{line}: no {w}" for w in words if w.startswith("--")
                       and not re.search(rf"(?<![\w-]){w}(?![\w-])", told.stdout)]
            check = run(*words[1:], "--help")
            faults += [f"{line}: {check.stderr}"] if check.returncode else []
        elif words[0].startswith("build/examples/"):
            name = words[0].removeprefix("build/examples/")
            if not (root / "examples" / f"{name}.c").is_file():
                faults.append(f"{line}: no such example")
            if f"'{name}'" not in (root / "examples/meson.build").read_text():
                faults.append(f"{line}: is not built")
        elif words[0] == "python3":
            if not (root / words[1]).is_file():
                faults.append(f"{line}: no such script")
        else:
            faults.append(f"{line}: neither retrograd nor an example")
    for path in re.findall(r"`(tools/[\w/.]+)`", text):
        if not (root / path).is_file():
            faults.append(f"{path}: no such file")
    return faults


@case
def a_page_that_names_what_is_not_there_is_found():
    for line in ("retrograd fly", "retrograd train --wings 2", "build/examples/wings", "rm -r x",
                 "python3 wings.py", "retrograd compare --only everything"):
        assert faults_of(f"```sh\n{line}\n```\n"), line
    assert faults_of("`tools/wings.py`") and not faults_of("```sh\nretrograd doctor\n```\n")


@case
def all_commands_of_the_page_exist():
    for page in ("docs/LECTURE.md", "docs/EXPERIMENTS.md"):
        faults = faults_of((ROOT / page).read_text())
        assert not faults, (page, faults)


@case
def each_of_fifteen_statements_has_something_to_run():
    text = (ROOT / "docs/LECTURE.md").read_text()
    parts = re.split(r"^### (\d+)\. ", text.split("## Two tables")[0], flags=re.M)[1:]
    assert [int(n) for n in parts[::2]] == list(range(1, 16))
    for number, part in zip(parts[::2], parts[1::2]):
        assert BLOCK.search(part) or "`rg_" in part, f"statement {number} has nothing to run"


@case
def the_page_has_both_tables_as_the_program_tells_them():
    text = (ROOT / "docs/LECTURE.md").read_text().split("## Two tables")[1]
    rows = re.findall(r"^\| (\w[\w ]*?) \|", text, re.M)
    told = good("compare", "--only", "exploding", "--updates", 1, "--seeds", 1, "-q", "--json",
                "--out", "out")
    topics = [line["topic"] for line in map(json.loads, told.stdout.splitlines())
              if line["what"] == "claim"]
    assert len(topics) == 13 and rows == topics, (rows, topics)


main()
