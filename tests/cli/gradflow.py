"""gradflow.py -- what the program says of gradients on their way back through time."""
import math
import shutil

from driver import *


def reports(*arguments):
    """The JSON lines of `retrograd gradflow`."""
    lines = good("gradflow", *arguments, "--json").stdout.splitlines()
    got = [json.loads(line) for line in lines]
    assert all(g["v"] == 1 and g["report"]["v"] == 1 for g in got), lines
    return got


def is_picture(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    assert text.startswith("<svg") and text.endswith("</svg>\n") and len(text) < 300_000, len(text)
    assert "<script" not in text and "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    if shutil.which("xmllint"):
        subprocess.run(["xmllint", "--noout", path], check=True)
    return text


@case
def a_cell_as_it_starts_is_told_as_table_and_as_json():
    text = good("gradflow", "--cell", "lstm", "--seq-len", 100).stdout
    for part in ("as it starts", "slope/step", "l0 c", "l0 h", "####", "l0.f", "keeps", "horizon"):
        assert part in text, (part, text)
    report, = reports("--cell", "lstm", "--seq-len", 100)
    r = report["report"]
    assert report["label"] == "initial" and r["T"] == 100 and r["B"] == 16 and r["lag"] == 99
    state = {s["name"]: s for s in r["states"]}
    assert len(state["l0 c"]["norm"]) == 100 and -0.13 < state["l0 c"]["slope"] < -0.07
    assert r["verdict"] == "fading" and len(r["connectivity"]) == 100
    gate = {g["name"]: g for g in r["gates"]}
    assert 0.6 < gate["l0.f"]["keeps"] < 0.8 and gate["l0.i"]["keeps"] is None
    assert good("gradflow", "--cell", "lstm", "--seq-len", 100).stdout == text


@case
def verdicts_depend_on_cell_start_and_lag():
    def verdict(*arguments):
        return reports("--seq-len", 100, "--hidden", 32, *arguments)[0]["report"]["verdict"]
    assert verdict("--cell", "rnn") == "vanishing"
    assert verdict("--cell", "gru") == "vanishing"
    assert verdict("--cell", "lstm", "--init", "chrono") == "healthy"
    assert verdict("--cell", "rnn", "--lag", 10) == "healthy"
    assert verdict("--cell", "lstm", "--forget-bias-0") == "vanishing"
    assert verdict("--cell", "rnn", "--dtype", "f32") == "vanishing"


@case
def the_remedies_come_in_order():
    text = good("gradflow", "--cell", "rnn", "--seq-len", 100).stdout.split("\n")[0]
    at = [text.find(w) for w in ("gated cell", "forget bias", "orthogonal", "by hand does not")]
    assert all(a > 0 for a in at) and at == sorted(at), text


@case
def the_jacobian_and_the_shares_of_parameters_are_told():
    r, = reports("--cell", "rnn", "--hidden", 6, "--seq-len", 12, "--probe", "jacobian")
    s = r["report"]["states"][0]
    assert len(s["spectral"]) == len(s["frobenius"]) == 12 and s["singular"], s.keys()
    for k in range(12):
        assert s["spectral"][k] <= s["frobenius"][k] * (1 + 1e-9) <= s["spectral"][k] * 6
    r, = reports("--cell", "gru", "--hidden", 6, "--seq-len", 12, "--probe", "loss", "--parameters")
    share = {p["name"]: p for p in r["report"]["parameters"]}
    assert len(share) == 9 and all(len(p["norm"]) == 12 for p in share.values()), share.keys()
    assert "share of each tenth" in good("gradflow", "--cell", "gru", "--parameters").stdout


@case
def a_run_is_told_as_it_began_and_as_it_is():
    train("r", "--steps", 30, "--cell", "gru")
    first, last = reports("r", "--svg", "n.svg", "--gates", "g.svg")
    assert first["label"] == "initial" and last["label"].startswith("step "), (first, last)
    assert first["report"]["T"] == 8 and first["report"]["B"] == 4
    a, b = first["report"]["layers"][0], last["report"]["layers"][0]
    assert a["name"] == b["name"] == "rnn.l0" and a["norm"] != b["norm"]
    text = is_picture("n.svg")
    assert "initial rnn.l0 h" in text and "step" in text
    text = is_picture("g.svg")
    assert "initial rnn.l0.u" in text and "rnn.l0.r" in text
    one, = reports("r/ckpt-last.safetensors", "--data", "text.txt", "--seq-len", 8, "--batch", 4)
    assert one["label"].startswith("step ")


@case
def train_draws_it_while_it_trains_and_changes_no_bit():
    train("a", "--steps", 30)
    train("b", "--steps", 30, "--gradflow-every", 10)
    assert checkpoint("a") == checkpoint("b")
    is_picture("b/gradflow.svg")
    looks = [r for r in rows("b") if r["split"] == "gradflow"]
    assert [r["step"] for r in looks] == [1, 11, 21], looks
    for r in looks:
        assert r["probe"] == "loss" and r["verdict"] in ("healthy", "fading", "growing")
        assert r["layers"][0]["name"] == "rnn.l0" and math.isfinite(r["layers"][0]["slope"])
    assert not (pathlib.Path("a") / "gradflow.svg").exists()


@case
def rows_of_unequal_length_are_looked_at_too():
    lines = ["name\tlanguage"] + [f"{w * (1 + i % 4)}\t{k}" for i in range(40)
                                  for w, k in (("mann", "de"), ("eau", "fr"))]
    pathlib.Path("names.tsv").write_text("\n".join(lines) + "\n")
    task = ["train", "--task", "classify", "--data", "names.tsv", "--hidden", 8, "--batch", 8,
            "--cell", "gru", "--bidirectional", "--steps", 12, "--eval-every", 6]
    good(*task, "--run", "a")
    good(*task, "--run", "b", "--gradflow-every", 5)
    assert checkpoint("a") == checkpoint("b")
    looks = [r for r in rows("b") if r["split"] == "gradflow"]
    assert [r["step"] for r in looks] == [1, 6, 11], looks
    assert len(looks[0]["layers"]) == 2, looks
    is_picture("b/gradflow.svg")
    first, last = reports("b", "--svg", "n.svg")
    assert first["label"] == "initial" and last["label"] in ("step 6", "step 12"), last["label"]
    one, two = (r["report"]["states"][0]["norm"] for r in (first, last))
    assert one != two and one[0] > 0 and len(first["report"]["layers"]) == 2
    is_picture("n.svg")


@case
def a_resumed_run_keeps_its_looks_and_goes_on():
    train("r", "--steps", 15, "--gradflow-every", 10)
    good("train", "--resume", "r", "--steps", 30)
    got = rows("r")
    assert [r["step"] for r in got if r["split"] == "gradflow"] == [1, 11, 21], got
    assert [r["step"] for r in got if r["split"] == "train"] == list(range(5, 31, 5))
    train("whole", "--steps", 30, "--gradflow-every", 10)
    assert checkpoint("r") == checkpoint("whole")
    csv = pathlib.Path("r/metrics.csv").read_text()
    assert "gradflow" not in csv


@case
def a_number_that_stopped_being_one_is_traced():
    done = run("train", "--data", corpus(), "--run", "r", *tiny(), "--steps", 300, "--optimizer",
               "sgd", "--lr", "1e6", "--clip-norm", "none", "--cell", "rnn-relu")
    assert done.returncode == 4, (done.returncode, done.stderr[-500:])
    last = done.stderr.rstrip().split("\n")[-1]
    assert "diverged at step" in last and "--clip-norm 1" in last, last
    assert "the first is" in last or " holds " in last, last
    assert done.stderr.count("update is left out") == 1


@case
def an_exploding_gradient_is_told_before_it_is_no_number():
    done = run("train", "--data", corpus(), "--run", "r", *tiny("--seq-len", 40), "--steps", 60,
               "--optimizer", "sgd", "--lr", "30", "--clip-norm", "none", "--cell", "rnn-relu",
               "--gradflow-every", 1)
    at = done.stderr.find("the gradient explodes")
    assert at > 0, done.stderr[-800:]
    first_nan = done.stderr.find("update is left out")
    assert first_nan < 0 or at < first_nan, done.stderr[-800:]
    assert "--clip-norm 1" in done.stderr


@case
def a_picture_takes_no_pipes_and_no_links_place():
    pathlib.Path("old").write_text("old")
    os.symlink("old", "link")
    os.mkfifo("pipe")
    small = ["gradflow", "--cell", "rnn", "--hidden", 4, "--seq-len", 8, "--svg"]
    done = run(*small, "link")
    assert done.returncode == 1 and "link: this is a link; name a file" in done.stderr, done.stderr
    assert os.path.islink("link") and pathlib.Path("old").read_text() == "old"
    writes = start(*small, "pipe")
    text = pathlib.Path("pipe").read_text()
    assert writes.wait(timeout=20) == 0 and text.startswith("<svg"), text[:99]
    assert pathlib.Path("pipe").is_fifo() and not os.path.exists("pipe.part")


@case
def mistakes_are_told():
    train("r", "--steps", 6)
    refused(2, "says what the model is", "gradflow", "r", "--cell", "gru")
    refused(2, "--probe", "gradflow", "--probe", "hessian")
    refused(2, "--seq-len", "gradflow", "--seq-len", 1)
    refused(2, "jacobian", "gradflow", "--hidden", 300, "--probe", "jacobian", "--seq-len", 4)
    refused(2, "--data is missing", "gradflow", "r/ckpt-last.safetensors")
    refused(1, "nowhere", "gradflow", "nowhere")
    refused(3, "less than a window", "gradflow", "r", "--seq-len", 60000)
    refused(2, "--gradflow-every", "train", "--data", "text.txt", "--gradflow-every", 0)


main()
