"""data.py -- `retrograd data`: what is in a text, a table, the data of a task."""
from driver import *


def lines(done):
    return [line.split() for line in done.stdout.splitlines()]


@case
def a_text_is_counted_and_its_count_models_are_tried():
    text = corpus()
    done = good("data", text)
    characters = len(pathlib.Path(text).read_text())
    assert f"characters  {characters} of " in done.stdout, done.stdout
    rows = {row[0]: row[1:] for row in lines(done) if row}
    assert rows["order"] == ["1", "2", "3", "4", "5", "6"]
    shown = json.loads(good("data", text, "--json").stdout)
    assert shown["v"] == 1 and shown["kind"] == "text" and shown["characters"] == characters
    assert shown["words"] == len(pathlib.Path(text).read_text().split())
    assert [f"{x:.3f}" for x in shown["count_models"]["test"]] == rows["test"]


@case
def a_file_of_bytes_has_symbols_and_no_words():
    pathlib.Path("b").write_bytes(bytes(range(256)) * 100)
    refused(3, "b:1:1: byte 0x00 is not UTF-8 text (NUL) (try --bytes)", "data", "b")
    done = good("data", "b", "--bytes")
    assert "25600 of 256 symbols" in done.stdout and "words" not in done.stdout, done.stdout


@case
def columns_of_a_table_are_numbers_or_texts():
    pathlib.Path("t.csv").write_text('a,b,"c,d"\n1,x,\n2.5,yy,\nNA,x,z\n')
    rows = lines(good("data", "t.csv"))
    assert rows[0] == "3 rows of 3 columns".split()
    assert rows[3] == "a number 2 1 1 to 2.5, mean 1.75".split(), rows[3]
    assert rows[4] == "b text 2 0 1 to 2 characters, mean 1.3; most often x, 66.7 %".split()
    assert rows[5][:4] == ["c,d", "text", "1", "2"], rows[5]
    shown = json.loads(good("data", "t.csv", "--json").stdout)
    assert [c["name"] for c in shown["columns"]] == ["a", "b", "c,d"] and shown["rows"] == 3
    pathlib.Path("t.csv").write_text("a,b\n1\n")
    refused(3, "t.csv:2: 1 cell, the first line has 2", "data", "t.csv")


def labelled():
    rows = [f"{'ab'[i % 2] * (1 + i % 5)}{i}\t{'xyz'[i % 7 % 3]}" for i in range(700)]
    pathlib.Path("n.tsv").write_text("\n".join(["name\tkind", *rows]) + "\n")


@case
def rows_of_a_task_are_counted_by_part_and_class():
    labelled()
    shown = json.loads(good("data", "n.tsv", "--task", "classify", "--json").stdout)
    sizes = [shown["parts"][p]["rows"] for p in ("train", "valid", "test")]
    assert sum(sizes) == 700 and 500 < sizes[0] < 620 and min(sizes) > 30, sizes
    assert shown["targets"] == ["x", "y", "z"]
    targets = [shown["parts"][p]["targets"] for p in ("train", "valid", "test")]
    assert [sum(column) for column in zip(*targets)] == [300, 200, 200], targets
    assert [sum(t) for t in targets] == sizes and shown["tried_on"] == "test"
    always = shown["baselines"][0]
    assert always["name"] == "always x" and abs(always["acc"] - targets[2][0] / sizes[2]) < 1e-6
    done = good("data", "n.tsv", "--task", "classify")
    assert ["always", "x", "acc", f"{always['acc']:.3f}"] == lines(done)[-2][:4], done.stdout


@case
def a_series_has_a_last_value():
    values = [(i * 7) % 10 for i in range(100)]
    pathlib.Path("s.csv").write_text("t,v\n" + "".join(f"{i},{x}\n" for i, x in enumerate(values)))
    shown = json.loads(good("data", "s.csv", "--task", "forecast", "--seq-len", 5, "--json").stdout)
    errors = [(values[i] - values[i - 1]) ** 2 for i in range(80, 100)]
    base = {b["name"]: b["rmse"] for b in shown["baselines"]}
    assert abs(base["last value"] - (sum(errors) / 20) ** 0.5) < 1e-4, base
    assert shown["parts"]["test"]["rows"] == 20 and shown["parts"]["train"]["most"] == 5


@case
def what_is_not_there_is_refused():
    labelled()
    refused(1, "no such file", "data", "nowhere.txt")
    refused(1, "no such file", "data", "nowhere.csv")
    refused(2, "FILE", "data")
    refused(2, "n.tsv:1: there is no column 'x'; there are: name, kind", "data", "n.tsv", "--task",
            "classify", "--label-column", "x")
    assert sorted(os.listdir()) == ["n.tsv"]


@case
def a_script_that_gets_no_package_says_so_with_77():
    tools = pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "data"
    here = os.getcwd()
    for script in sorted(set(tools.glob("*.py")) - {tools / "common.py"}):
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60,
                              env={"PATH": here, "XDG_CACHE_HOME": here, "RETROGRAD_DATA": here})
        assert done.returncode == 77, (script, done.returncode, done.stderr)
        assert done.stderr.startswith(f"{script.name}: cannot download "), done.stderr
        assert done.stdout == "", done.stdout


@case
def the_scripts_of_tools_and_the_library_cut_alike():
    build = pathlib.Path(PROGRAM).parent.parent
    folder = pathlib.Path(os.environ.get("RETROGRAD_DATA") or build / "data")
    done = 0
    for name, file, task in (("surnames", "surnames.tsv", "classify"),
                             ("lexicon", "lexicon.tsv", "seq2seq")):
        if not (folder / name / "manifest.json").exists():
            continue
        manifest = json.loads((folder / name / "manifest.json").read_text())
        shown = json.loads(good("data", folder / name / file, "--task", task, "--json").stdout)
        assert {p: shown["parts"][p]["rows"] for p in shown["parts"]} == manifest["parts"], name
        assert shown["sha256"] == manifest["sha256"][file]
        done += 1
    if not done:
        raise Skip(f"{folder} has none of the sets: tools/data/surnames.py fetches one")


main()
