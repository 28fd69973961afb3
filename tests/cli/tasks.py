"""tasks.py -- labels, tags, sequences and series: trained, resumed to the same bits, evaluated,
asked line by line; on data so small that a run takes a blink."""
import math
import random
import struct
import zipfile

from driver import *

SMALL = {"--hidden": 12, "--batch": 16, "--log-every": 4, "--eval-every": 12, "--cell": "gru"}
TASKS = {"classify": {"--embed": 6, "--bidirectional": None}, "tag": {"--bidirectional": None},
         "seq2seq": {"--embed": 6, "--lr": "0.01", "--scheduled-sampling": "0.1"},
         "forecast": {"--seq-len": 12, "--horizon": 2}}


def table(path, head, rows_):
    lines = ["\t".join(map(str, row)) for row in [head, *rows_]]
    pathlib.Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def names(path="names.tsv", n=160, seed=1):
    """Words whose ending tells the language."""
    chance = random.Random(seed)
    word = lambda: "".join(chance.choice("abcdé") for _ in range(chance.randint(1, 6)))
    endings = {"de": "mann", "fr": "eau", "it": "ini"}
    picks = [chance.choice(["de", "fr", "fr", "it"]) for _ in range(n)]
    return table(path, ["name", "language"], [[word() + endings[k], k] for k in picks])


def capitals(path="case.tsv", n=200):
    """Tags: U after a point and at the beginning, else l."""
    chance = random.Random(2)
    pieces = [[chance.choice(["ab", "c", "ba."]) for _ in range(chance.randint(1, 5))]
              for _ in range(n)]
    texts = [" ".join(p) for p in pieces]
    tag = lambda t, i: "U" if i == 0 or t[i - 2:i] == ". " else "l"
    return table(path, ["text", "tags"],
                 [[t, "".join(tag(t, i) for i in range(len(t)))] for t in texts])


def phones(path="phones.tsv", n=150):
    chance = random.Random(3)
    sound = {"a": "AH", "b": "B", "x": "K S"}
    words_ = ["".join(chance.choice("abx") for _ in range(chance.randint(1, 4))) for _ in range(n)]
    return table(path, ["word", "phones"], [[w, " ".join(sound[c] for c in w)] for w in words_])


def series(path="series.csv", n=240, holes=()):
    chance = random.Random(4)
    value = [50 + 40 * math.sin(i / 5) + chance.gauss(0, 2) for i in range(n)]
    lines = [f"{i},{'' if i in holes else round(v, 3)}" for i, v in enumerate(value)]
    pathlib.Path(path).write_text("month,spots\n" + "\n".join(lines) + "\n")
    return path


def small(*given, **more):
    """The small model's options but for those given, then those given."""
    options = {**SMALL, **more}
    return [w for o, v in options.items() if o not in given for w in (o, v) if w is not None] + [
        *given]


def command(task, *given):
    data = {"classify": names, "tag": capitals, "seq2seq": phones, "forecast": series}[task]()
    return ["train", "--task", task, "--data", data, *small(*given, **TASKS[task])]


def learn(task, folder, steps, *given, **how):
    return good(*command(task, *given), "--run", folder, "--steps", steps, **how)


MEASURES = {"classify": ["acc", "f1"], "tag": ["acc", "f1"], "seq2seq": ["acc", "per"],
            "forecast": ["rmse"]}


@case
def every_task_leaves_a_run_behind_and_prints_baselines():
    for task in TASKS:
        done = learn(task, task, 40)
        assert sorted(os.listdir(task)) == [
            "ckpt-best.safetensors", "ckpt-last.safetensors", "config.json", "lock", "metrics.csv",
            "metrics.jsonl", "plot.svg"], os.listdir(task)
        head = pathlib.Path(task, "metrics.csv").read_text().split("\n")[0]
        measures = MEASURES[task]
        assert head == f"time,step,epoch,split,loss,{','.join(measures)},grad_norm,lr,tok_s", head
        last = rows(task)[-1]
        assert last["split"] == "test" and all(m in last for m in measures), last
        trained = [r for r in rows(task) if r["split"] == "train"]
        assert [r["step"] for r in trained] == list(range(4, 41, 4))
        assert not any(m in r for r in trained for m in measures)
        base = {"classify": "always fr", "tag": "most frequent tag of each symbol",
                "seq2seq": "always K", "forecast": "last value"}[task]
        assert base in done.stdout and f"{task}: gru 1x12" in done.stdout, done.stdout
        shown = done.stderr.count("truth")
        assert shown == (4 if task == "forecast" else 20), (task, shown)


@case
def what_is_learned_beats_what_needs_no_model():
    better = {"classify": ("acc", 1), "tag": ("f1", 1), "seq2seq": ("per", -1),
              "forecast": ("rmse", -1)}
    for task, (measure, sign) in better.items():
        learn(task, task, 150, "--lr", "0.02", "--log-every", 50, "--eval-every", 50)
        said = json.loads(good("eval", task, "--json").stdout)
        assert said["v"] == 1 and said["part"] == "test" and said["rows"] > 0
        for base in said["baselines"]:
            assert sign * (said[measure] - base[measure]) > 0, (task, said)
        again = [r for r in rows(task) if r["split"] == "test"][-1]
        assert abs(again[measure] - said[measure]) < 1e-6


def stripped(folder):
    return [{k: v for k, v in r.items() if k not in ("time", "tok_s")} for r in rows(folder)]


@case
def a_run_stopped_and_resumed_is_the_whole_run():
    full = ["--dropout", "0.2", "--layers", 2, "--schedule", "cosine"]
    for task in TASKS:
        line = [*command(task, *full), "--steps", 24]
        good(*line, "--run", f"{task}-whole", "--threads", 2)
        first = start(*map(str, line), "--run", task, "--threads", 1)
        wait_for(lambda: os.path.exists(f"{task}/metrics.jsonl"))
        time.sleep(0.03)
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=120)
        assert first.returncode in (0, 130), err[-300:]
        good("train", "--resume", task, "--threads", 3)
        assert checkpoint(task) == checkpoint(f"{task}-whole"), task
        assert checkpoint(task, "best") == checkpoint(f"{task}-whole", "best"), task
        assert stripped(task) == stripped(f"{task}-whole"), task


@case
def what_keeps_a_model_from_learning_by_heart_is_resumed_to_the_same_bits():
    """Every option, with every task; what an evaluation says does not depend on chance."""
    dropped = ["--dropout", "0.2", "--dropout-kind",
               "between,input,recurrent,candidate,weight,embedding,output", "--layers", 2]
    kinds = ([*dropped, "--zoneout", "0.2", "--h0", "random"], ["--zoneout", "0.1", "--h0",
             "learned"], ["--h0", "random", "--tbptt", 3])
    for task in TASKS:
        for i, given in enumerate(kinds):
            if "--tbptt" in given and task in ("classify", "seq2seq"):
                continue
            run_ = f"{task}{i}"
            learn(task, f"{run_}-whole", 9, *given, "--eval-every", 3, "--threads", 2)
            learn(task, run_, 4, *given, "--eval-every", 3, "--threads", 1)
            good("train", "--resume", run_, "--steps", 9)
            assert checkpoint(run_) == checkpoint(f"{run_}-whole"), run_
            again = [good("eval", run_, "--json").stdout for _ in range(2)]
            assert again[0] == again[1], again
            refused(2, "cannot go on with", "train", "--resume", run_, "--h0", "zero")
    assert "drops nothing of inputs that are numbers" in good(*command("forecast"), "--dropout",
        0.1, "--dropout-kind", "embedding", "--dry-run").stderr
    assert "drops nothing with one layer" in good(*command("tag"), "--dropout", 0.1,
        "--dropout-kind", "between", "--dry-run").stderr


@case
def a_run_without_gain_stops_early():
    done = learn("classify", "r", 10**6, "--patience", 2, "--optimizer", "sgd", "--lr",
                 "1e-12")
    steps = [r["step"] for r in rows("r") if r["split"] == "valid"]
    assert len(steps) == 3 and "accuracy" in done.stdout, steps
    good("train", "--resume", "r")  # and has come to its end
    good("train", "--data", corpus(), "--run", "lm", *tiny(), "--steps", 10**6, "--lr", "1e-12",
         "--optimizer", "sgd", "--patience", 1)
    assert [r["step"] for r in rows("lm") if r["split"] == "valid"] == [15, 30]


@case
def a_line_in_is_a_line_out_at_once():
    for task in TASKS:
        learn(task, task, 60, "--lr", "0.02")
    asked = start("predict", "classify", stdin=subprocess.PIPE, text=True)
    for word in ["abmann", "bini", "aéeau"]:
        asked.stdin.write(word + "\n")
        asked.stdin.flush()
        assert asked.stdout.readline().strip() in ("de", "fr", "it")
    assert asked.communicate() == ("", "") and asked.returncode == 0
    ask = lambda run_, text, *more: good("predict", run_, *more, stdin=None, input=text).stdout
    top = ask("classify", "abmann\n", "--top-k", 3).rstrip("\n").split("\t")
    assert sorted(top[::2]) == ["de", "fr", "it"] and abs(sum(map(float, top[1::2])) - 1) < 1e-3
    assert len(ask("tag", "ab ba. c\nc\r\n").split("\n")[0]) == 8
    assert set(ask("seq2seq", "abx\n").split()) <= {"AH", "B", "K", "S"}
    beam = json.loads(ask("seq2seq", "abx\n", "--json", "--beam", 3, "--top-k", 3))["answers"]
    assert len(beam) == 3 and beam[0]["log_p"] >= beam[1]["log_p"] >= beam[2]["log_p"]
    values = ask("forecast", ",".join(["50"] * 12) + "\n").strip().split(",")
    assert len(values) == 2 and all(-50 < float(v) < 150 for v in values), values
    missing = ask("forecast", "50 NA " + "50 " * 9 + "50\n").strip().split(",")
    assert all(math.isfinite(float(v)) for v in missing)
    one = json.loads(ask("classify", "abmann\n", "--json", "--top-k", 2))
    assert one["line"] == 1 and one["input"] == "abmann" and len(one["classes"]) == 2
    assert ask("classify", "") == ""
    pathlib.Path("lines").write_text("abmann\nbini\n")
    assert good("predict", "classify", "--data", "lines").stdout.count("\n") == 2


@case
def other_data_is_scored_with_the_models_words():
    learn("classify", "r", 30)
    names("more.tsv", 40, seed=9)
    said = json.loads(good("eval", "r", "--data", "more.tsv", "--json").stdout)
    assert said["part"] == "all" and said["rows"] == 40
    one = json.loads(good("eval", "r/ckpt-best.safetensors", "--data", "more.tsv", "--json").stdout)
    assert one["acc"] == said["acc"]
    table("strange.tsv", ["name", "language"], [["abmann", "ru"]])
    refused(3, "'ru' is none of the 3", "eval", "r", "--data", "strange.tsv")
    refused(2, "--part: other data", "eval", "r", "--data", "more.tsv", "--part", "test")
    assert "part train" in good("eval", "r", "--part", "train").stdout
    names("names.tsv", 170)
    refused(3, "changed since the run", "eval", "r")


@case
def a_dry_run_and_a_dumped_configuration_are_the_run():
    done = good(*command("seq2seq"), "--dry-run")
    assert "steps a second" in done.stdout and os.listdir() == ["phones.tsv"], done.stdout
    config = good(*command("classify"), "--steps", 20, "--dump-config").stdout
    pathlib.Path("c.json").write_text(config)
    learn("classify", "a", 20)
    good("train", "--config", "c.json", "--run", "b")
    assert checkpoint("a") == checkpoint("b")
    assert "classify: gru 1x12 both ways" in good("info", "a").stdout
    assert json.loads(good("info", "a", "--json").stdout)["metadata"]["model"]


@case
def the_parts_may_be_files_of_their_own():
    names("valid.tsv", 30, seed=5)
    names("test.tsv", 25, seed=6)
    done = good(*command("classify"), "--valid", "valid.tsv", "--test", "test.tsv", "--steps", 12,
                "--run", "r")
    assert "160 train, 30 validate, 25 test" in done.stderr, done.stderr
    good("train", "--resume", "r", "--steps", 16)
    os.mkdir("folder")
    for name in ("train", "valid", "test"):
        shutil.copy("names.tsv" if name == "train" else f"{name}.tsv", f"folder/{name}.tsv")
    line = ["train", "--task", "classify", "--data", "folder"]
    done = good(*line, *small("--steps", 12), "--run", "f")
    assert "160 train, 30 validate, 25 test" in done.stderr, done.stderr
    assert json.loads(good("eval", "f", "--json").stdout)["rows"] == 25
    os.remove("folder/valid.tsv"), os.remove("folder/test.tsv")
    os.rename("folder/train.tsv", "folder/names.tsv")
    good(*line, *small("--steps", 1), "--run", "one")


# ---- Arrays, images, vectors -------------------------------------------------------------------

def npy(data, kind, shape):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust((len(text) + 74) // 64 * 64 - 11) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + data


@case
def images_and_arrays_are_read_row_by_row():
    n, side = 90, 4
    chance = random.Random(7)
    label = [chance.randrange(2) for _ in range(n)]
    pixel = bytes((200 if (x < 2) == (k == 0) else 10) + chance.randrange(20) for k in label
                  for _ in range(side) for x in range(side))
    pathlib.Path("img-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, n, side, side) + pixel)
    pathlib.Path("lab-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, n) + bytes(label))
    line = ["train", "--task", "classify", *small("--steps", 60, "--lr", "0.02")]
    done = good(*line, "--data", "img-idx3-ubyte", "--labels", "lab-idx1-ubyte", "--run", "r")
    assert "4 numbers a step" in done.stderr
    assert json.loads(good("eval", "r", "--json").stdout)["acc"] > 0.9
    bright = " ".join(["200 200 10 10"] * 4) + "\n"
    assert good("predict", "r", stdin=None, input=bright).stdout == "0\n"
    pathlib.Path("x.npy").write_bytes(npy(pixel, "|u1", (n, 2, 8)))
    pathlib.Path("y.npy").write_bytes(npy(struct.pack(f"<{n}i", *label), "<i4", (n,)))
    good(*line, "--data", "x.npy", "--labels", "y.npy", "--run", "a")
    refused(2, "--labels is missing", *line, "--data", "x.npy")
    refused(2, "reads tables", "train", "--task", "seq2seq", "--data", "x.npy")


@case
def arrays_that_cannot_be_trained_on_are_refused():
    n, T = 90, 3
    real = lambda *odd: struct.pack(f"<{n * T}f", *odd, *[i % 7 for i in range(n * T - len(odd))])
    whole = lambda kind, k: struct.pack(f"<{k}{kind}", *[i % 2 for i in range(k)])
    line = ["train", "--task", "classify", *small("--steps", 2), "--data", "a.npz"]

    def refuses(code, says, x=real(), **more):
        members = {"x": npy(x, "<f4", (n, T, 1)), "y": npy(whole("i", n), "<i4", (n,)), **more}
        with zipfile.ZipFile("a.npz", "w") as z:
            for name, data in members.items():
                z.writestr(name + ".npy", data)
        refused(code, says, *line)

    refuses(2, "a.npz:lengths': type '<i2'", lengths=npy(whole("h", n), "<i2", (n,)))
    refuses(2, "a.npz: train.lengths: N integers", lengths=npy(whole("f", n), "<f4", (n,)))
    refuses(2, "a.npz: train.lengths: 89 entries", lengths=npy(whole("i", n - 1), "<i4", (n - 1,)))
    refuses(3, "item 0 has length 4294967298, not 0 to 3",
            lengths=npy(struct.pack("<q", 2**32 + 2) + whole("q", n - 1), "<i8", (n,)))
    refuses(3, "a.npz: item 0: inf is among its numbers", real(math.inf))
    refuses(3, "a.npz: none of the 90 rows is in the validation part (--valid takes a file, "
            "--split order shares)", bytes(4 * n * T))
    refused(2, "a.txt is a table by its name", *line[:-1], "a.txt", "--labels", "y.npy")
    assert os.listdir() == ["a.npz"]


@case
def words_may_start_from_vectors_that_somebody_else_made():
    chance = random.Random(8)
    text = lambda k: " ".join([chance.choice(["good", "fine"] if k else ["bad", "poor"]), "film",
                               chance.choice("abc")])
    table("t.tsv", ["text", "mood"], [[text(i % 2), i % 2] for i in range(120)])
    vectors = {"good": "1 0 0", "fine": "1 0 0.5", "bad": "0 1 0", "film": "0 0 1"}
    glove = "".join(f"{w} {v}\n" for w, v in vectors.items())
    pathlib.Path("v.txt").write_text(glove)
    line = ["train", "--task", "classify", "--data", "t.tsv", "--units", "word", *small(
        "--steps", 20, "--embedding", "v.txt")]
    done = good(*line, "--embed", 3, "--freeze", "--run", "r")
    assert "4 of 9 words have a vector" in done.stderr, done.stderr
    good("train", "--resume", "r", "--steps", 24)
    one, two = checkpoint("r", "best"), checkpoint("r")
    assert struct.pack("<3f", 1, 0, 0.5) in one and struct.pack("<3f", 1, 0, 0.5) in two
    good(*line, "--embed", 3, "--run", "trained")
    assert struct.pack("<3f", 1, 0, 0.5) not in checkpoint("trained")
    refused(3, "the file's vectors have 3 numbers", *line, "--embed", 4)
    refused(2, "--embedding needs --embed", *line)
    refused(2, "--units word", *line[:4], "t.tsv", *line[7:], "--embed", 3)
    pathlib.Path("v.txt").write_text("4 3\n" + glove)
    good(*line, "--embed", 3, "--dry-run")
    for bad, says in [("good 1 0\nfine 1 0 0\n", "numbers"), ("good 1 x 0\n", "finite number"),
                      ("", "empty"), ("other 1 2 3\n", "none of the 9 words"),
                      ("good 1 0 0\ngood 0 1 0\n", "there twice"),
                      ("g\udcffd 1 0 0\n", "is not UTF-8")]:
        pathlib.Path("v.txt").write_text(bad, errors="surrogateescape")
        refused(3, says, *line, "--embed", 3)
    refused(1, "nowhere", *line[:-1], "nowhere", "--embed", 3)


# ---- Bad input ----------------------------------------------------------------------------------

@case
def tables_that_cannot_be_learned_from_are_refused():
    line = ["train", "--task", "classify", "--data"]
    bad = {
        "empty.tsv": (3, "empty", ""),
        "head.tsv": (3, "head.tsv", "name\tlanguage\n"),
        "ragged.csv": (3, "ragged.csv:3: ", "name,language\nab,de\nba\n"),
        "one.csv": (3, "the only column is 'name'", "name\nab\nba\n"),
        "missing.csv": (3, "missing.csv:3: column 'language': the label is missing",
                        "name,language\nab,de\nba,\n"),
        "quote.csv": (3, "quote.csv:2: ", 'name,language\n"ab,de\n'),
        "latin.tsv": (3, "latin.tsv:2", b"name\tlanguage\nab\xe9\tde\n"),
        "alone.tsv": (3, "one class only", "n\tl\n" + "".join(f"a{i}\tx\n" for i in range(99))),
        "few.tsv": (3, "", "n\tl\na\tx\n"),
    }
    for name, (_, _, text) in bad.items():
        pathlib.Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    before = sorted(os.listdir())
    for name, (code, says, _) in bad.items():
        refused(code, says, *line, name)
    refused(3, "--task seq2seq needs two", "train", "--task", "seq2seq", "--data", "one.csv")
    refused(1, "no such file", *line, "nowhere.tsv")
    refused(3, "none of which is train.tsv", *line, ".")
    assert sorted(os.listdir()) == before
    names()
    refused(2, "'nation'", *line, "names.tsv", "--label-column", "nation")
    table("test.tsv", ["name", "language"], [["abmann", "de"], ["boff", "ru"]])
    refused(3, "test.tsv:3: column 'language': 'ru' is none of the 3 that the training part has",
            *line, "names.tsv", "--test", "test.tsv")


@case
def tags_series_and_sequences_that_do_not_fit_are_refused():
    table("tags.tsv", ["text", "tags"], [["abc", "lll"], ["ab", "lll"]])
    refused(3, "tags.tsv:3: 2 steps and 3 tags", "train", "--task", "tag", "--data", "tags.tsv")
    pathlib.Path("s.csv").write_text("v\n1\nx\n3\n")
    refused(3, "s.csv:3", "train", "--task", "forecast", "--data", "s.csv",
            "--seq-len", 1)
    series("short.csv", 10)
    refused(3, "short.csv: 10 rows are fewer than a window of 64 and its target 1 ahead "
            "(--seq-len, --horizon)", "train", "--task", "forecast", "--data", "short.csv",
            "--seq-len", 64)
    for last, says in [("1e200", "big.csv:302: 1e+200 is too large to be scaled"),
                       ("1e80", "big.csv:302: 1e+80 is too large beside the numbers")]:
        pathlib.Path("big.csv").write_text("v\n" + "1\n2\n3\n" * 100 + last + "\n")
        refused(3, says, "train", "--task", "forecast", "--data", "big.csv", "--seq-len", 4)
    series("none.csv", 99, range(99))
    refused(3, "column 'spots': every value of the training part is missing", "train", "--task",
            "forecast", "--data", "none.csv", "--seq-len", 4)
    refused(2, "cut by time", "train", "--task", "forecast", "--data", series(), "--config",
            options_file(valid="series.csv"))
    refused(2, "bridge", *command("seq2seq"), "--decoder", 13, "--no-bridge")
    refused(2, "'0' is no whole number from 1", *command("seq2seq"), "--beam", 0)
    refused(2, "--scheduled-sampling", *command("seq2seq"), "--scheduled-sampling", 1)
    refused(2, "goes with --task seq2seq", *command("tag"), "--scheduled-sampling", 0.1)
    for option, value in [("--valid", "x"), ("--bidirectional", None), ("--horizon", 2),
                          ("--attention", "dot")]:
        more = [option] if value is None else [option, value]
        refused(2, f"{option} goes with --task", "train", "--data", "x", *more)
    for task in ("classify", "seq2seq"):
        refused(2, "said of whole rows, back to their first", *command(task), "--tbptt", 8)
    forecast = [*command("forecast"), "--tbptt"]
    refused(2, "reads no more rows", *forecast, 13)
    refused(2, "out of reach", *forecast, 4, "--h0", "learned")
    refused(2, "rows are no stream", *command("tag"), "--h0", "carried")
    refused(2, "one share", *command("tag"), "--zoneout", "0.1,0.2")
    refused(2, "some of between", *command("tag"), "--dropout-kind", "inside")
    refused(2, "no products with the state", *command("tag", "--cell", "mingru"), "--dropout", 0.1,
            "--dropout-kind", "weight")
    refused(2, "drop_candidate is for", *command("tag", "--cell", "rnn"), "--dropout", 0.1,
            "--dropout-kind", "candidate")


def options_file(**options):
    pathlib.Path("o.json").write_text(json.dumps(options))
    return "o.json"


@case
def double_precision_empty_rows_and_a_budget_are_fine():
    for task in TASKS:
        learn(task, task, 4, "--dtype", "f64", "--memory-budget", "64M")
        assert json.loads(good("eval", task, "--json").stdout)["rows"] > 0
    table("holes.tsv", ["name", "language"], [["", "de"], ["", "fr"], ["abmann", "de"]] * 40)
    line = ["train", "--task", "classify", "--data", "holes.tsv", "--split", "order"]
    good(*line, *small("--steps", 8, "--bidirectional"), "--run", "r")
    assert good("predict", "r", stdin=None, input="\n").stdout in ("de\n", "fr\n")
    refused(3, "not the data", "train", "--resume", "r", "--data", names(), "--steps", 9)


@case
def missing_values_of_a_series_are_masked():
    line = ["train", "--task", "forecast", "--data", series(holes={5, 6, 50, 51, 120, 238}),
            *small("--seq-len", 12, "--steps", 40, "--lr", "0.01")]
    good(*line, "--run", "r")
    assert json.loads(good("eval", "r", "--json").stdout)["rmse"] < 30


@case
def the_last_value_is_that_of_the_column_that_is_said():
    chance = random.Random(6)
    lines = [f"{chance.randrange(1000)},{i},{7 * i}" for i in range(120)]
    pathlib.Path("s.csv").write_text("noise,up,seven\n" + "\n".join(lines) + "\n")
    line = ["train", "--task", "forecast", "--data", "s.csv", *small("--seq-len", 4, "--steps", 2)]
    said = good(*line, "--input-column", "noise,seven,up", "--label-column", "up", "--run", "r")
    assert "last value                                                    1" in said.stdout
    said = good(*line, "--input-column", "noise,seven", "--label-column", "up", "--run", "q")
    assert "last value" not in said.stdout and "mean of the training part" in said.stdout


@case
def numbers_of_a_line_are_the_same_however_they_are_set_apart():
    learn("forecast", "f", 4)
    said = lambda text: good("predict", "f", stdin=None, input=text).stdout.split("\n")[:-1]
    same = said("40,50,60\n40, 50, 60\n40 50 60\n 40  50\t60 \n40;50 ; 60\n")
    assert len(same) == 5 and len(set(same)) == 1, same
    holes = said("40,,60\n40, NA ,60\n40\t\t60\n")
    assert len(set(holes)) == 1 and holes[0] != same[0], (same, holes)
    ends = said("40,50,\n40,50,?\n40,50\n")
    assert ends[0] == ends[1], ends


@case
def lines_that_mean_nothing_are_refused_with_their_number():
    learn("forecast", "f", 4)
    learn("classify", "c", 4)
    ask = lambda run_, text, says: refused(3, says, "predict", run_, stdin=None, input=text)
    ask("f", "1,2,x,4\n", "line 1: number 3 is none")
    ask("f", "\n", "line 1: 0 numbers")
    ask("f", "1,2,1e300\n", "line 1: number 3, 1e+300, is too large")
    refused(2, "--beam goes with --task seq2seq", "predict", "c", "--beam", 2)
    done = run("predict", "c", stdin=None, input="abmann\na\0b\n")
    assert done.returncode == 3 and "line 2" in done.stderr and done.stdout.count("\n") == 1
    refused(2, "retrograd predict", "sample", "c")


main()
