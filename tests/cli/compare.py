"""compare.py -- cells against each other: the report, what is kept, what is refused."""
import html.parser
import re
import xml.etree.ElementTree as xml

from driver import *

SHORT = ["--updates", 6, "--seeds", 2, "-q"]
VOID = {"meta", "br"}


class Page(html.parser.HTMLParser):
    """Every element is closed, and nothing is fetched or run."""

    def __init__(self, text):
        super().__init__()
        self.open, self.faults, self.words = [], [], []
        self.feed(text)
        self.faults += [f"<{tag}> stays open" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        if tag == "script" or {k for k, _ in attrs} & {"src", "onload", "onclick"}:
            self.faults.append(f"<{tag} {attrs}>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes another")

    def handle_data(self, data):
        self.words.append(data)


def compare(*arguments, **more):
    short = SHORT if "--updates" not in arguments else SHORT[2:]
    return good("compare", *short, "--out", "out", *arguments, **more)


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


@case
def a_page_with_a_fault_is_found():
    assert Page("<p><b>x</p></b>").faults and Page("<p>").faults
    assert Page("<script>1</script>").faults and not Page("<p>x<br>y</p>").faults


@case
def a_comparison_leaves_a_report_and_its_figures():
    done = compare("--only", "order", "--json")
    told = lines(done)
    results = [line for line in told if line["what"] == "result"]
    assert {line["study"] for line in results} == {"order-20", "order-60", "order-100"}, results
    assert all(line["seeds"] == 2 and line["updates"] == 6 and line["v"] == 1
               and abs(line["blind"] - 0.75) < 1e-6 for line in results), results
    claims = [line for line in told if line["what"] == "claim"]
    assert len(claims) == 13 and {line["against"] for line in claims} == {"rnn", "gru"}
    whole = json.loads(pathlib.Path("out/results.json").read_text())
    assert [r["mean"] for r in whole["results"]] == [r["mean"] for r in results]
    assert all(len(t["ln_gradient_before"]) in (20, 60, 100) for r in whole["results"]
               for t in r["trials"])
    text = pathlib.Path("out/report.html").read_text()
    page = Page(text)
    assert not page.faults, page.faults[:5]
    assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), "it fetches something"
    said = " ".join(page.words)
    for part in ("LSTM against RNN", "LSTM against GRU", "vanishing gradient", "which to use",
                 "not measured", "guessing", "Temporal order, L = 100", "prefers-color-scheme"):
        assert part in said or part in text, part
    last = next(c for c in claims if c["topic"] == "which to use")["found"].split("; ")
    assert len(last) == 4 and last[3].startswith("LSTM clearly better in "), last
    assert all(line in said for line in last), "a line for each study"
    pictures = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(pictures) == 10, len(pictures)
    for picture in pictures:
        xml.fromstring(picture)


@case
def what_is_finished_is_not_run_again_and_what_changed_is():
    first = lines(compare("--only", "exploding", "--json"))
    kept = {p.name: p.stat().st_mtime_ns for p in pathlib.Path("out/trials").iterdir()}
    assert len(kept) == 4, kept
    again = lines(compare("--only", "exploding", "--json"))
    assert {p.name: p.stat().st_mtime_ns for p in pathlib.Path("out/trials").iterdir()} == kept
    assert [r.get("mean") for r in first] == [r.get("mean") for r in again]
    pathlib.Path("out/trials/exploding-50.rnn.2.json").write_text("{}")
    third = lines(compare("--only", "exploding", "--json", "--threads", 1))
    assert [r.get("mean") for r in first] == [r.get("mean") for r in third]
    compare("--only", "exploding", "--updates", 7)
    now = {p.name: p.stat().st_mtime_ns for p in pathlib.Path("out/trials").iterdir()}
    assert now.keys() == kept.keys() and not set(now.values()) & set(kept.values())


@case
def an_interrupt_keeps_what_is_finished():
    child = start("compare", "--only", "order", "--updates", 300, "--seeds", 20, "--out", "out",
                  "--threads", 1, text=True)
    wait_for(lambda: len(list(pathlib.Path("out").glob("trials/*.json"))) > 2)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130 and "the same command goes on" in said, said[-400:]
    for path in pathlib.Path("out/trials").iterdir():
        assert json.loads(path.read_text())["v"] == 1
    assert "trial=3 of=420" in said and not pathlib.Path("out/report.html").exists()


@case
def characters_and_cells_that_are_asked_for():
    pathlib.Path("t.txt").write_text(words(30000))
    told = lines(compare("--only", "chars", "--data", "t.txt", "--cells", "rnn,gru-after",
                         "--hidden", 8, "--json"))
    results = [line for line in told if line["what"] == "result"]
    assert [(r["contestant"], r["hidden"]) for r in results] == [("rnn", 8), ("gru-after", 8)]
    assert all(0 < r["mean"] < 9 and r["blind"] > 2 for r in results), results


@case
def data_that_is_missing_is_named_with_what_makes_it():
    done = run("compare", "--only", "chars", *SHORT[:-1])
    assert done.returncode == 3 and "tools/data/austen.py" in done.stderr, done.stderr
    done = run("compare", "--only", "digits", *SHORT[:-1])
    assert done.returncode == 3 and "tools/data/digits.py" in done.stderr, done.stderr
    assert not os.path.exists("runs")


def digits(n=60, last="7,seven"):
    """A file as tools/data/digits.py makes it, of other images."""
    head = ",".join(f"p{i}" for i in range(64)) + ",digit,word"
    lines = [",".join(str((k * 7 + i) % 17) for i in range(64)) + f",{k % 10},x" for k in range(n)]
    lines[-1] = lines[-1].rsplit(",", 2)[0] + "," + last
    pathlib.Path("digits.csv").write_text("\n".join([head, *lines]) + "\n")


@case
def digits_are_read_by_rows_and_by_pixels():
    digits()
    here = {"RETROGRAD_DATA": os.getcwd()}
    told = lines(compare("--only", "digits", "--cells", "rnn", "--hidden", 6, "--json", env=here))
    assert [r["study"] for r in told if r["what"] == "result"] == ["digits-rows", "digits-pixels"]
    digits(last="seven,7")
    refused(3, "digits.csv:61: not 64 numbers", "compare", *SHORT, "--only", "digits", env=here)
    digits(n=5)
    refused(3, "too few", "compare", *SHORT, "--only", "digits", env=here)


@case
def usage_errors_of_compare():
    refused(2, "--quick and --full", "compare", "--quick", "--full")
    refused(2, "no cell is called 'elman'", "compare", "--only", "adding", "--cells", "elman")
    refused(2, "'gru' is there twice", "compare", "--only", "adding", "--cells", "gru,rnn gru")
    refused(2, "no cell is named", "compare", "--only", "adding", "--cells", " , ")
    refused(2, "did you mean --cells?", "compare", "--cell", "rnn")
    refused(2, "--only: ", "compare", "--only", "everything")
    refused(2, "--seeds: ", "compare", "--seeds", 0)


main()
