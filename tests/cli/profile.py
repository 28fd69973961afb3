"""profile.py -- where a training step goes, what a run would take: figures that add up."""
import random
import re
import xml.etree.ElementTree as xml

from driver import *

SMALL = ["--hidden", 24, "--embed", 6, "--batch", 4, "--seq-len", 8, "--symbols", 20, "--steps", 3]


def quiet(text):
    """Nothing is said, but that others use the machine where they do."""
    return re.fullmatch(r"(warning: the peak moved from \d+ to \d+ GF/s meanwhile: .*\n)?", text)


def profile(*arguments):
    """Lines of JSON by what they are about."""
    done = good("profile", "--json", *arguments)
    assert quiet(done.stderr), done.stderr
    lines = {}
    for line in map(json.loads, done.stdout.splitlines()):
        assert line["v"] == 1, line
        lines.setdefault(line["what"], []).append(line)
    return lines


def near(a, b, bound=1e-6):
    return abs(a - b) <= bound * max(abs(a), abs(b), 1e-12)


@case
def every_view_adds_up_to_the_whole():
    for more in ([], ["--dtype", "f64"], ["--layers", 2, "--cell", "gru", "--threads", 1],
                 ["--effort", "interpret"]):
        told = profile(*SMALL, *more)
        model, total = told["model"][0], told["total"][0]
        for what in ("kernel", "layer", "kind"):
            lines = told[what]
            assert near(sum(line["ms"] for line in lines), total["steps_ms"]), (more, what)
            assert sum(line["steps"] for line in lines) == model["steps"], (more, what)
            assert near(sum(line["flop"] for line in lines), model["flop"]), (more, what)
            assert near(sum(line["bytes"] for line in lines), model["bytes"]), (more, what)
        parts = total["steps_ms"] + total["update_ms"] + total["unaccounted_ms"]
        assert near(parts, total["ms"]) and total["unaccounted_ms"] >= 0, (more, total)
        for line in told["kernel"] + told["layer"] + told["kind"]:
            assert near(line["gflops"], 1e-6 * line["flop"] / line["ms"]), line
            assert near(line["gbs"], 1e-6 * line["bytes"] / line["ms"]), line
            assert near(line["peak_share"], line["gflops"] / model["peak_gflops"]), line
            assert near(line["share"], line["ms"] / total["ms"]) and line["ms"] > 0, line


@case
def layers_have_names_and_directions():
    told = profile(*SMALL, "--layers", 2)
    layers = {(line["layer"], line["direction"]) for line in told["layer"]}
    for name in ("embed", "stacked/l0", "stacked/l1", "out", "loss"):
        assert (name, "forward") in layers and (name, "backward") in layers, layers
    kinds = [line for line in told["kind"] if "[4,24] x [24,96]" in line["shapes"]]
    assert [line["steps"] for line in kinds if line["layer"] == "stacked/l1"] == [8], kinds
    # multiply-adds of x·U and h·W of one layer, and two times that backward
    gates = 2 * 8 * 4 * 4 * 24 * (24 + 24)
    flop = {line["direction"]: line["flop"] for line in told["layer"]
            if line["layer"] == "stacked/l1"}
    assert gates < flop["forward"] < 1.5 * gates, (flop, gates)
    assert 2 * gates < flop["backward"] < 2.7 * gates, (flop, gates)


@case
def a_table_for_people_and_bars():
    done = good("profile", *SMALL, "--svg", "p.svg")
    for text in ("part by part", "unaccounted", "total", "lstm", "forward", "backward",
                 "measured in this run", "GF/s"):
        assert text in done.stdout, (text, done.stdout)
    assert quiet(done.stderr), done.stderr
    picture = xml.parse("p.svg").getroot()
    texts = ["".join(t.itertext()) for t in picture.iter("{http://www.w3.org/2000/svg}text")]
    # our products, or BLAS's where no instruction set but the portable one is built
    assert {"product", "blas"} & set(texts) and "lstm backward" in texts, texts
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}rect"))) > 8
    assert sorted(os.listdir()) == ["p.svg"]
    refused_late = run("profile", *SMALL, "--svg", "no/such/p.svg")
    assert refused_late.returncode == 1 and "no/such/p.svg" in refused_late.stderr


@case
def a_run_says_what_its_model_and_windows_are():
    train("r", "--steps", 3)
    told = profile("r", "--steps", 2)["model"][0]
    assert (told["hidden"], told["embed"], told["batch"], told["seq_len"]) == (12, 6, 4, 8), told
    assert profile("r", "--steps", 2, "--batch", 5)["model"][0]["batch"] == 5
    told = profile("r/ckpt-last.safetensors", "--steps", 2)["model"][0]
    assert (told["hidden"], told["batch"], told["seq_len"]) == (12, 32, 64), told
    refused(2, "--hidden: r says what the model is", "profile", "r", "--hidden", 3)
    refused(1, "nowhere", "profile", "nowhere")


def task_lines():
    """Options of every task, on data of a few lines."""
    chance = random.Random(1)
    word = lambda: "".join(chance.choice("abx") for _ in range(chance.randint(1, 7)))
    words_ = [word() for _ in range(120)]
    lines = {"names.tsv": [("name", "language")] + [(w, w[0]) for w in words_],
             "case.tsv": [("text", "tags")] + [(w + "b." * 5, "U" * len(w) + "l." * 5)
                                               for w in words_],
             "phones.tsv": [("word", "phones")] + [(w, " ".join(w.upper())) for w in words_],
             "series.tsv": [("value",)] + [(i * i % 17,) for i in range(200)]}
    for name, rows_ in lines.items():
        text = "\n".join("\t".join(map(str, row)) for row in rows_)
        pathlib.Path(name).write_text(text + "\n")
    small = ["--hidden", 8, "--batch", 8]
    return {"classify": ["--data", "names.tsv", "--cell", "gru", "--bidirectional", *small],
            "tag": ["--data", "case.tsv", "--layers", 2, "--bidirectional", *small],
            "seq2seq": ["--data", "phones.tsv", "--cell", "gru", "--embed", 4, *small],
            "forecast": ["--data", "series.tsv", "--seq-len", 12, *small]}


@case
def every_task_is_profiled_from_a_configuration_and_from_a_run():
    for task, options in task_lines().items():
        lines = ["--task", task, *options]
        good("train", *lines, "--steps", 3, "--run", task)
        for told in (profile(*lines, "--steps", 2), profile(task, "--steps", 2)):
            model, total = told["model"][0], told["total"][0]
            assert model["task"] == task and model["hidden"] == 8 and model["batch"] == 8, model
            assert model["seq_len"] >= (16 if task == "tag" else 8), model
            for what in ("kernel", "layer", "kind"):
                assert near(sum(line["ms"] for line in told[what]), total["steps_ms"]), (task, what)
                assert sum(line["steps"] for line in told[what]) == model["steps"], (task, what)
            ways = {(line["layer"].split("/")[-1], line["direction"]) for line in told["layer"]}
            cell = {"classify": "gru", "seq2seq": "gru"}.get(task, "lstm")
            assert (cell, "forward") in ways and (cell, "backward") in ways, (task, ways)
    text = good("profile", "seq2seq", "--steps", 2, "--svg", "p.svg").stdout
    assert text.startswith("seq2seq: gru 1x8") and "the slowest kinds" in text, text
    assert "seq2seq: gru" in pathlib.Path("p.svg").read_text()
    assert profile("tag", "--steps", 2, "--batch", 5)["model"][0]["batch"] == 5


@case
def what_cannot_be_profiled_of_a_task_is_said():
    options = task_lines()["classify"]
    refused(2, "--data is missing", "profile", "--task", "classify")
    refused(2, "--horizon goes with", "profile", "--task", "classify", *options, "--horizon", 2)
    refused(2, "--bidirectional goes with", "profile", "--bidirectional")
    refused(1, "nowhere.tsv", "profile", "--task", "tag", "--data", "nowhere.tsv")
    good("train", "--task", "classify", *options, "--steps", 3, "--run", "r")
    refused(2, "--readout: r says what the model is", "profile", "r", "--readout", "mean")
    refused(2, "--seq-len: rows of r", "profile", "r", "--seq-len", 5)
    refused(2, "no run folder", "profile", "r/ckpt-last.safetensors")


@case
def a_text_that_is_given_has_its_own_vocabulary():
    told = profile("--data", corpus(), "--hidden", 8, "--batch", 4, "--seq-len", 8, "--steps", 2)
    assert told["model"][0]["task"] == "lm" and told["model"][0]["symbols"] < 96, told["model"]


@case
def passes_can_be_left_out_to_see_what_they_bring():
    whole = profile(*SMALL)["model"][0]
    apart = profile(*SMALL, "--disable", "fuse batch")["model"][0]
    assert apart["disable"] == "fuse batch" and apart["steps"] > 2 * whole["steps"]
    told = profile(*SMALL, "--effort", "interpret")
    assert told["model"][0]["effort"] == "interpret"
    assert "matmul" in {line["kernel"] for line in told["kernel"]}
    refused(2, "no pass is called 'fusion'; there are fold cse", "profile", *SMALL, "--disable",
            "fusion")


@case
def usage_errors_of_profile():
    refused(2, "did you mean --symbols?", "profile", "--vocab", 3)
    refused(2, "did you mean --disable?", "profile", "--disabled", "fuse")
    refused(2, "--steps: '0' is no whole number", "profile", "--steps", 0)
    refused(2, "GiB, this machine has", "profile", "--hidden", 65536, "--layers", 64)


@case
def sizes_are_numbers_with_a_letter():
    for text in ("1G", "1.5g", "700MiB", "300MB", "900000K", "800000000", "1T", "800000000B"):
        good("profile", *SMALL, "-q", "--memory-budget", text)
    for text in ("", "0", "12Q", "1GG", "G", "1.2.3M", "1Gi", "9" * 40, "5 M", "1e9",
                 "1 ", "0.5 ", "0.5 B"):
        done = run("profile", *SMALL, f"--memory-budget={text}")
        assert done.returncode == 2 and "--memory-budget: " in done.stderr, (text, done)


@case
def a_budget_that_cannot_be_met_is_refused_with_both_numbers():
    needs = profile(*SMALL)["model"][0]["arena_bytes"]
    assert profile(*SMALL, "--memory-budget", needs)["model"][0]["arena_bytes"] <= needs
    done = refused(2, "the budget is 1024 (larger --memory-budget", "profile", *SMALL,
                   "--memory-budget", "1K")
    assert re.search(r"needs (at least )?\d+ bytes", done.stderr), done.stderr
    done = run("train", "--data", corpus(), *tiny(), "--memory-budget", "1K", "--run", "r")
    assert done.returncode == 2 and "the budget is 1024 (larger" in done.stderr, done.stderr
    assert not os.path.exists("r")


@case
def a_budget_below_the_whole_trains_to_the_same_weights():
    line = ["train", "--data", corpus(), "--hidden", 64, "--embed", 16, "--batch", 16,
            "--seq-len", 60, "--steps", 3, "-q"]
    told = json.loads(good(*line, "--dry-run", "--json", "--run", "r").stdout.splitlines()[-1])
    budget = told["arena_bytes"] * 8 // 10
    less = run(*line, "--memory-budget", f"{budget}B", "--dry-run", "--json", "--run", "r")
    if less.returncode and "recomputing" not in less.stderr:
        raise Skip("no fused multiply-add: nothing is computed again")
    assert json.loads(less.stdout.splitlines()[-1])["arena_bytes"] <= budget, less
    good(*line, "--run", "whole")
    good(*line, "--memory-budget", f"{budget}B", "--run", "less")
    assert checkpoint("whole") == checkpoint("less")


@case
def a_dry_run_tells_plan_memory_and_time():
    line = ["train", "--data", corpus(), *tiny(), "--dry-run", "--run", "r"]
    done = good(*line, "--steps", 70, "--json", "-q")
    told = json.loads(done.stdout)
    assert done.stderr == "" and os.listdir() == ["text.txt"]
    assert told["total_steps"] == 70 and told["timed"] >= 5 and told["step_ms"] > 0
    assert near(told["total_seconds"], 0.07 * told["step_ms"]), told
    assert told["resident_bytes"] > told["arena_bytes"] > 0
    assert told["optimizer_bytes"] > 2 * told["weights_bytes"] > 0
    assert json.loads(good(*line, "--minutes", 2, "--json", "-q").stdout)["total_seconds"] == 120
    both = json.loads(good(*line, "--steps", 10**9, "--minutes", 2, "--json", "-q").stdout)
    assert both["total_seconds"] == 120 and near(both["total_steps"], 12e4 / both["step_ms"]), both
    assert "whole   120 s, about" in good(*line, "--steps", 10**9, "--minutes", 2).stdout
    both = json.loads(good(*line, "--steps", 70, "--minutes", 60, "--json", "-q").stdout)
    assert both["total_steps"] == 70, both
    assert json.loads(good(*line, "--threads", 1, "--json", "-q").stdout)["threads"] == 1
    text = good(*line, "--steps", 70).stdout
    for part in ("plan    ", "memory  ", "time    ", "whole   70 steps"):
        assert part in text, text


main()
