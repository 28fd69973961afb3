"""runs.py -- training runs: what they leave behind, and that they go on to the same bits."""
import re
import resource

from driver import *

FULL = ["--dropout", "0.2", "--layers", "2", "--schedule", "cosine", "--warmup", "5",
        "--dropout-kind", "between,weight,recurrent,output", "--zoneout", "0.1,0.2"]


@case
def a_run_leaves_everything_behind():
    done = train("r", "--steps", 40)
    assert sorted(os.listdir("r")) == ["ckpt-best.safetensors", "ckpt-last.safetensors",
                                       "config.json", "lock", "metrics.csv", "metrics.jsonl",
                                       "plot.svg"], os.listdir("r")
    table = done.stdout.split("\n")
    assert "uniform" in table[1] and "order 6" in table[7] and "lstm 1x12" in table[8], table
    assert done.stdout.count("count model, order") == 6
    got = rows("r")
    assert [r["step"] for r in got if r["split"] == "train"] == list(range(5, 41, 5))
    assert [r["step"] for r in got if r["split"] == "valid"] == [15, 30, 40]
    assert got[-1]["split"] == "test" and all(r["v"] == 1 for r in got)
    lines = pathlib.Path("r/metrics.csv").read_text().split("\n")
    assert lines[0] == "time,step,epoch,split,loss,bpc,grad_norm,lr,tok_s"
    for row, line in zip(got, lines[1:]):
        cells = dict(zip(lines[0].split(","), line.split(",")))
        assert all(str(row.get(k, "")) == v or float(v) == row[k] for k, v in cells.items()), line
    picture = pathlib.Path("r/plot.svg").read_text()
    assert picture.startswith("<") and picture.rstrip().endswith("</svg>")
    config = json.loads(pathlib.Path("r/config.json").read_text())
    assert config["horizon"] == 40 and len(config["data"]["sha256"]) == 64 and config["build"]


@case
def two_runs_are_equal_whatever_the_threads():
    train("a", "--steps", 30, *FULL, "--threads", 1)
    train("b", "--steps", 30, *FULL, "--threads", 2)
    train("c", "--steps", 30, *FULL, "--threads", 3, "--quiet")
    assert checkpoint("a") == checkpoint("b") == checkpoint("c")
    assert checkpoint("a", "best") == checkpoint("b", "best")
    train("d", "--steps", 30, *FULL, "--seed", 2)
    assert checkpoint("a") != checkpoint("d")


def stripped(folder):
    """The rows without what a clock says."""
    return [{k: v for k, v in r.items() if k not in ("time", "tok_s")} for r in rows(folder)]


@case
def a_run_stopped_and_resumed_is_the_whole_run():
    whole = train("whole", "--steps", 60)
    train("part", "--steps", 37)
    tests = [r for r in rows("part") if r["split"] == "test"]
    done = good("train", "--resume", "part", "--steps", 60, "--threads", 3)
    assert "resume step 37" in done.stderr and len(tests) == 1
    assert done.stdout == whole.stdout
    # step 37 was evaluated because it was the last: the best may be found there
    same = [r for r in stripped("part") if not (r["step"] == 37 or r["split"] == "test")]
    assert same == [r for r in stripped("whole") if r["split"] != "test"]


@case
def an_interrupted_run_resumes_to_the_same_bits():
    train("whole", "--steps", 90, *FULL)
    want = checkpoint("whole"), checkpoint("whole", "best")
    line = ["train", "--data", corpus(), "--steps", 90, *tiny(), *FULL]
    for trial, (sent, code) in enumerate([(signal.SIGINT, 130), (signal.SIGTERM, 143),
                                          (signal.SIGHUP, 129), (signal.SIGINT, 130)]):
        folder = f"r{trial}"
        first = start(*line, "--run", folder, "--threads", 1 + trial % 2)
        wait_for(lambda: os.path.exists(f"{folder}/metrics.jsonl"))
        time.sleep(0.02 * trial)
        first.send_signal(sent)
        out, err = first.communicate(timeout=120)
        if first.returncode != 0:  # it may have been through already
            assert first.returncode == code, (first.returncode, err[-300:])
            ways = b"--resume " + folder.encode(), b"eval " + folder.encode()  # all but the figure
            assert out == b"" and any(way in err for way in ways), (folder, err[-300:])
        good("train", "--resume", folder, "--threads", 2)
        assert (checkpoint(folder), checkpoint(folder, "best")) == want, folder
        assert stripped(folder) == stripped("whole"), folder


@case
def what_a_window_starts_with_and_how_far_it_goes_back_is_kept_by_a_run():
    kinds = (["--h0", "learned"], ["--h0", "random"], ["--tbptt", 40, "--cell", "gru"])
    for k, words in enumerate(kinds):
        train(f"w{k}", "--steps", 24, *words)
        train(f"p{k}", "--steps", 11, *words)
        good("train", "--resume", f"p{k}", "--steps", 24)
        assert checkpoint(f"p{k}") == checkpoint(f"w{k}"), words
        first = good("eval", f"w{k}", "--json").stdout
        assert good("eval", f"w{k}", "--json").stdout == first, words
    assert checkpoint("w0") != checkpoint("w1")


@case
def a_killed_run_resumes_to_the_same_bits():
    train("whole", "--steps", 24, *FULL)
    line = ["train", "--data", corpus(), "--steps", 24, "--save-every", "1", *tiny(), *FULL]
    for trial in range(8):
        folder = f"r{trial}"
        first = start(*line, "--run", folder)
        wait_for(lambda: os.path.exists(f"{folder}/ckpt-last.safetensors") or
                 first.poll() is not None)
        time.sleep(0.004 * trial)
        first.kill()
        first.communicate()
        good("train", "--resume", folder)
        assert checkpoint(folder) == checkpoint("whole"), f"trial {trial}"
        left = [n for n in os.listdir(folder) if n.endswith((".tmp", ".part"))]
        assert not left, left


@case
def a_second_signal_leaves_at_once_and_sigusr1_saves():
    first = start("train", "--data", corpus(), "--steps", 10**7, "--run", "r",
                  *tiny("--eval-every", 10**6))
    wait_for(lambda: os.path.exists("r/metrics.jsonl"))
    first.send_signal(signal.SIGUSR1)
    wait_for(lambda: os.path.exists("r/ckpt-last.safetensors"))
    first.send_signal(signal.SIGINT)
    first.send_signal(signal.SIGINT)
    began = time.monotonic()
    first.communicate(timeout=10)
    assert first.returncode == 130 and time.monotonic() - began < 30
    good("train", "--resume", "r", "--steps", 1)


@case
def one_folder_has_one_writer():
    first = start("train", "--data", corpus(), "--steps", 10**7, "--run", "r", *tiny())
    wait_for(lambda: os.path.exists("r/metrics.jsonl"))
    refused(1, "another process is training", "train", "--resume", "r")
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=120)
    assert first.returncode == 143


@case
def limits_count_from_the_first_step():
    train("r", "--steps", 20)
    good("train", "--resume", "r", "--steps", 25)
    assert max(r["step"] for r in rows("r")) == 25
    good("train", "--resume", "r", "--steps", 25)  # nothing left: it concludes again
    train("m", "--minutes", 0.001)
    last = max(r["step"] for r in rows("m"))
    good("train", "--resume", "m", "--minutes", 0.001)  # nothing left here, either
    assert max(r["step"] for r in rows("m")) == last
    train("e", "--epochs", 1)
    assert max(r["step"] for r in rows("e")) == 5399 // 4 // 8


@case
def time_that_no_row_has_told_counts():
    line = ["--steps", 10**8, *tiny("--log-every", 10**8, "--eval-every", 10**8), "--run", "r"]
    first = start("train", "--data", corpus(), *line)
    wait_for(lambda: os.path.exists("r/metrics.jsonl"))
    time.sleep(1)
    first.send_signal(signal.SIGTERM)
    _, err = first.communicate(timeout=120)
    assert first.returncode == 143 and rows("r") == [], (first.returncode, err[-300:])
    stopped = int(re.search(rb"stopped at step (\d+)", err)[1])
    good("train", "--resume", "r", "--minutes", 0.01)  # 0.6 s of at least 1 s
    assert {r["step"] for r in rows("r")} == {stopped}, (stopped, rows("r"))


@case
def a_schedule_keeps_its_horizon():
    train("r", "--steps", 20, "--schedule", "cosine")
    good("train", "--resume", "r", "--steps", 30)
    rates = {r["step"]: r["lr"] for r in rows("r") if r["split"] == "train"}
    assert rates[10] > rates[15] > rates[20] >= rates[25] == rates[30] == 0, rates


@case
def the_figure_of_eval_is_the_figure_of_train():
    train("r", "--steps", 30)
    test = [r for r in rows("r") if r["split"] == "test"][0]
    score = json.loads(good("eval", "r", "--json").stdout)
    assert abs(score["loss"] - test["loss"]) < 1e-8 and score["characters"] == 299
    valid = json.loads(good("eval", "r", "--json", "--part", "valid", "--batch", 4).stdout)
    best = min(r["loss"] for r in rows("r") if r["split"] == "valid")
    assert abs(valid["loss"] - best) < 1e-8
    assert good("eval", "r", "--threads", 1).stdout == good("eval", "r", "--threads", 2).stdout


@case
def samples_follow_their_seed():
    train("r", "--steps", 20)
    text = words()
    one = good("sample", "r", "--seed", 1, "--length", 80).stdout
    assert one == good("sample", "r", "--length", 80, "--threads", 1).stdout and len(one) == 81
    assert one != good("sample", "r", "--seed", 2, "--length", 80).stdout
    primed = good("sample", "r", "--prime", text[:9], "--length", 20).stdout
    assert primed.startswith(text[:9]) and len(primed) == 30
    greedy = good("sample", "r", "--temperature", 0, "--seed", 1).stdout
    assert greedy == good("sample", "r", "--temperature", 0, "--seed", 2).stdout
    assert greedy == good("sample", "r", "--top-k", 1, "--seed", 3).stdout
    assert json.loads(good("sample", "r", "--length", 80, "--json").stdout)["text"] + "\n" == one
    assert good("sample", "r", "--length", 0).stdout == "\n"


@case
def every_cell_trains_in_both_precisions():
    for cell in ("rnn", "rnn-relu", "gru", "gru-after", "lstm"):
        for dtype in ("f32", "f64"):
            train(f"{cell}-{dtype}", "--cell", cell, "--dtype", dtype, "--steps", 16,
                  "--embed", 0 if dtype == "f64" else 6, "--layers", 2)
            good("sample", f"{cell}-{dtype}", "--length", 5)
        assert cell in good("info", f"{cell}-f64").stdout


@case
def cells_that_pytorch_has_not_train_resume_and_are_read_again():
    more = {"lstm-proj": ["--proj", 5], "lstm-ln": ["--dtype", "f64"], "mgu": ["--embed", 6]}
    for cell in ("irnn", "lstm-peephole", "lstm-coupled", "lstm-proj", "lstm-ln", "mgu", "janet",
                 "mingru", "mingru-log", "minlstm", "indrnn", "sru", "sru-v1", "gru-ln", "qrnn"):
        options = ["--cell", cell, "--layers", 2, *more.get(cell, [])]
        train(cell, *options, "--steps", 8)
        good("train", "--resume", cell, "--steps", 12)
        told = json.loads(good("eval", cell, "--json").stdout)
        assert 0 < told["bpc"], (cell, told)
        good("sample", cell, "--length", 5)
        assert cell in good("info", cell).stdout
    train("whole", "--cell", "qrnn", "--layers", 2, "--steps", 12)
    assert checkpoint("whole") == checkpoint("qrnn")
    refused(2, "lstm-proj has", "train", "--data", "text.txt", "--run", "x", "--cell", "gru",
            "--proj", 3)
    refused(2, "has no v to bound; indrnn has", "train", "--data", "text.txt", "--run", "x",
            "--cell", "gru", "--bound-lag", 9)


@case
def the_v_of_an_indrnn_stays_within_its_bound_and_a_resumed_run_keeps_it():
    def largest(folder):
        return max(max(map(abs, weights(folder, f"rnn.l{k}.v"))) for k in (0, 1))

    options = ["--cell", "indrnn", "--layers", 2, "--lr", 0.3]
    train("free", *options, "--steps", 12)
    train("r", *options, "--bound-lag", 20, "--steps", 6)
    good("train", "--resume", "r", "--steps", 12)
    bound = 2 ** (1 / 20)
    assert largest("free") > bound > largest("r") - 1e-7, (largest("free"), largest("r"))


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@case
def a_full_disk_ends_with_1_and_the_old_checkpoint():
    train("r", "--steps", 20)
    keep = checkpoint("r")
    size = len(keep)
    for limit in (size - 1, size // 2, 4096):
        done = run("train", "--resume", "r", "--steps", 40, preexec_fn=limited(limit))
        assert done.returncode == 1, (limit, done.returncode, done.stderr[-300:])
        assert checkpoint("r") == keep, limit
        assert not [n for n in os.listdir("r") if n.endswith((".tmp", ".part"))], os.listdir("r")
    good("train", "--resume", "r", "--steps", 40)
    train("whole", "--steps", 40)
    refused(1, "", "train", "--data", "text.txt", "--run", "small", "--steps", 20, *tiny(),
            preexec_fn=limited(100))


@case
def divergence_is_explained_and_ends_with_4():
    done = run("train", "--data", corpus(), "--run", "r", *tiny(), "--steps", 300, "--optimizer",
               "sgd", "--lr", "1e6", "--clip-norm", "none", "--cell", "rnn-relu")
    assert done.returncode == 4, (done.returncode, done.stderr[-500:])
    last = done.stderr.rstrip().split("\n")[-1]
    assert "diverged at step" in last and "smaller --lr" in last, last
    assert "the update is left out" in done.stderr


@case
def vanishing_gradients_are_explained():
    done = train("r", "--cell", "rnn", "--steps", 15, "--seq-len", 100, "--batch", 1)
    assert "the gradient vanishes" in done.stderr and "--cell lstm" in done.stderr, done.stderr


@case
def the_count_models_of_austen_are_the_published_ones():
    build = pathlib.Path(PROGRAM).parent.parent
    text = pathlib.Path(os.environ.get("RETROGRAD_DATA") or build / "data") / "austen.txt"
    if not text.exists():
        raise Skip(f"{text} is not there: tools/data/austen.py fetches it")
    done = good("train", "--data", text, "--dry-run")
    assert "4025028 characters, 81 symbols" in done.stderr
    assert "uniform 6.34, order 1 to 6: 4.46 3.55 2.79 2.20 1.96 2.00" in done.stderr, done.stderr


@case
def a_dry_run_writes_nothing():
    done = good("train", "--data", corpus(), *tiny(), "--dry-run", "--run", "r")
    assert os.listdir() == ["text.txt"] and "MiB" in done.stderr
    assert done.stdout.startswith("plan    ") and done.stdout.count("\n") == 4, done.stdout


@case
def a_mark_of_byte_order_inside_the_text_is_a_symbol_like_others():
    pathlib.Path("marked.txt").write_text("one\ufeff two three\n" * 400, encoding="utf-8")
    good("train", "--data", "marked.txt", *tiny(), "--steps", 5, "--run", "r")
    assert "bits per character" in good("eval", "r", "--data", "marked.txt").stdout


main()
