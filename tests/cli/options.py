"""options.py -- the command line: what is accepted, what is refused, and one table behind all."""
import re

from driver import *

COMMANDS = ["train", "eval", "predict", "sample", "gradcheck", "gradflow", "profile", "compare",
            "data", "info", "doctor", "completion", "help", "version"]


def flags_of_help(command):
    return set(re.findall(r"^  (?:-\w, |    )(--[a-z0-9-]+)", good(command, "--help").stdout, re.M))


@case
def the_commands_tried_here_are_all_there_are():
    listed = good("--help").stdout.split("\nCommands\n")[1].split("\n\n")[0]
    assert re.findall(r"^  ([a-z]+) ", listed, re.M) == COMMANDS, listed


@case
def help_begins_with_an_example_and_is_narrow():
    for command in COMMANDS:
        done = good(command, "--help")
        lines = done.stdout.split("\n")
        assert lines[0].startswith(f"usage: retrograd {command}"), lines[0]
        reads = "echo Nakamura | " if command == "predict" else ""
        assert lines[2] == "Example", lines[:4]
        assert lines[3].startswith(f"  {reads}retrograd {command}"), lines[:4]
        assert max(map(len, lines)) <= 100 and done.stderr == ""
        assert good("help", command).stdout == done.stdout
    assert "[256]" in good("train", "--help").stdout


@case
def help_takes_no_noticeable_time():
    good("train", "--help")
    best = 1
    for _ in range(5):
        began = time.monotonic()
        good("train", "--help")
        best = min(best, time.monotonic() - began)
    assert best < 0.05 or "ASAN_OPTIONS" in BASE_ENV, f"{best:.3f} s"


@case
def help_manual_page_and_completion_know_the_same_options():
    manual = good("help", "--mdoc").stdout
    script = good("completion", "bash").stdout
    for command in COMMANDS:
        flags = flags_of_help(command)
        part = manual.split(f".Ss retrograd {command}\n")[1].split(".El")[0]
        man = {"--" + name.replace("\\-", "-") for name in re.findall(r"Fl \\-(\S+)", part)}
        line = re.search(rf'^    {command}\) words="(.*)" ;;$', script, re.M)
        assert flags and man == flags, f"{command}: {man ^ flags}"
        assert set(line.group(1).split()) == flags, f"{command}: {line.group(1)}"
    kept = json.loads(good("train", "--dump-config", "--data", "x").stdout)
    assert {"--" + key for key in kept} < flags_of_help("train")


@case
def manual_page_and_completion_are_well_formed():
    pathlib.Path("page.1").write_text(good("help", "--mdoc").stdout)
    pathlib.Path("script").write_text(good("completion", "bash").stdout)
    assert subprocess.run(["bash", "-n", "script"]).returncode == 0
    if not shutil.which("mandoc"):
        raise Skip("mandoc is not installed; bash -n passed")
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", "page.1"],
                          capture_output=True, text=True)
    assert lint.returncode == 0 and lint.stdout == "", lint.stdout


@case
def completion_completes():
    pathlib.Path("script").write_text(good("completion", "bash").stdout)
    def complete(*words):
        line = " ".join(f"'{w}'" for w in words)
        program = (f"source ./script; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
                   "compopt() { :; }; _retrograd; printf '%s\\n' \"${COMPREPLY[@]}\"")
        return subprocess.run(["bash", "-c", program], capture_output=True,
                              text=True).stdout.split()
    assert complete("retrograd", "tr") == ["train"]
    assert complete("retrograd", "train", "--hid") == ["--hidden"]
    assert complete("retrograd", "train", "--cell", "gru-") == ["gru-after", "gru-ln"]
    assert "--temperature" in complete("retrograd", "sample", "--te")
    os.mkdir("scrip")
    assert sorted(complete("retrograd", "train", "--data", "scr")) == ["scrip", "script"]
    assert complete("retrograd", "train", "--run", "scr") == ["scrip"]
    for command, option in (("profile", "disable"), ("sample", "prime"), ("train", "hidden"),
                            ("train", "memory-budget")):
        assert complete("retrograd", command, f"--{option}", "scr") == [], option


@case
def usage_errors_end_with_2_and_say_what_was_meant():
    corpus()
    for says, line in [
        ("did you mean train?", "trian"), ("retrograd help", "xyzzy"),
        ("did you mean --hidden?", "train --hiden 3"), ("did you mean --hidden?", "train --nhid 3"),
        ("did you mean --hidden?", "train --hid 3"), ("did you mean --seq-len?", "train --bptt 3"),
        ("did you mean --lr?", "train --learning_rate 1"), ("--cell", "train --cell lsmt"),
        ("unknown option -x", "train -x"), ("unknown option -qv", "train -qv"),
        ("needs a value", "train --data"), ("value is empty", "train --data="),
        ("needs a value", "train --hidden -3"), ("whole number", "train --hidden=-3"),
        ("given twice", "train --seed 1 --seed 2"),
        ("given twice", "train --seq-len 1 --seq_len 2"),
        ("takes no value", "train --bytes=yes"), ("unexpected word", "train text.txt"),
        ("whole number", "train --hidden 10abc"), ("whole number", "train --hidden 0"),
        ("whole number", "train --hidden 1e2"), ("whole number", "train --hidden 0x10"),
        ("whole number", "train --hidden 99999999999999999999"),
        ("whole number", "train --batch 70000"), ("whole number", "train --threads 0"),
        ("is no number", "train --lr 1,5"), ("is no number", "train --lr 0x1p3"),
        ("is no number", "train --lr 1e999"), ("is no number", "train --lr nan"),
        ("is no number", "train --lr inf"), ("is no number", "train --lr 0"),
        ("or none", "train --clip-norm 0"), ("is no number", "train --dropout 1"),
        ("--data is missing", "train"), ("RUN is missing", "eval"), ("RUN is missing", "sample"),
        ("unexpected word", "eval a b"), ("did you mean train", "help trian"),
        ("bash", "completion tcsh"), ("not both", "info --cell gru x"),
        ("--minutes does not say", "train --data text.txt --schedule cosine --minutes 1"),
        ("cannot be combined", "train --resume x --run y"),
        ("cannot be combined", "train --resume x --config y"),
        ("is no number", "sample x --temperature=-1"),
        ("is no number", "sample x --temperature nan"),
        ("whole number", "sample x --top-k=-1"),
        ("some of between, input,", "train --data text.txt --dropout-kind input,all"),
        ("a share from 0 to 1", "train --data text.txt --zoneout 1.5"),
        ("a share from 0 to 1", "train --data text.txt --zoneout 0.1,"),
        ("one share", "train --data text.txt --cell gru --zoneout 0.1,0.2"),
        ("less than --seq-len", "train --data text.txt --seq-len 8 --tbptt 4"),
        ("needs --h0 carried", "train --data text.txt --seq-len 8 --tbptt 16 --h0 zero"),
        ("none of carried|zero|learned|random", "train --data text.txt --h0 ones"),
    ]:
        refused(2, says, *line.split(" "))
    done = run()
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") <= 6
    assert sorted(os.listdir()) == ["text.txt"], "a usage error wrote something"


@case
def names_have_one_meaning_however_they_are_spelled():
    texts = {good("train", "--data", "x", *words, "--dump-config").stdout
             for words in (["--seq-len", "9"], ["--seq_len", "9"], ["--seq_len=9"])}
    assert len(texts) == 1
    kept = json.loads(good("train", "--data", "x", "--cell", "LSTM", "--clip-norm", "none",
                           "--dump-config").stdout)
    assert kept["cell"] == "lstm" and kept["clip-norm"] == "none" and kept["epochs"] == 10


@case
def a_configuration_read_back_is_the_same_configuration():
    line = ["train", "--data", "t", "--cell", "gru", "--lr", "0.1234567890123456789", "--steps",
            "9007199254740992", "--bytes", "--optimizer", "adamw", "--minutes", "1.5"]
    first = good(*line, "--dump-config").stdout
    pathlib.Path("c.json").write_text(first)
    assert good("train", "--config", "c.json", "--dump-config").stdout == first
    pathlib.Path("crlf.json").write_bytes(first.replace("\n", "\r\n").encode())
    assert good("train", "--config", "crlf.json", "--dump-config").stdout == first
    line = ["train", "--config", "c.json", "--cell", "rnn", "--dump-config"]
    second = json.loads(good(*line).stdout)
    assert second["cell"] == "rnn" and second["weight-decay"] == 0.01


@case
def bad_configurations_are_refused():
    path = pathlib.Path("c.json")
    for code, says, text in [
        (2, "did you mean cell", b'{"cel": "gru"}'), (2, "wrong kind", b'{"hidden": "12"}'),
        (2, "wrong kind", b'{"data": ["a"]}'), (2, "neither true", b'{"bytes": 1}'),
        (2, "whole number", b'{"hidden": 0}'), (2, "none of", b'{"cell": "x"}'),
        (2, "unknown option", b'{"run": "x"}'), (2, "is no number", b'{"lr": -1}'),
        (3, "object", b'[1]'), (3, "c.json:1:", b'{"cell": "gru",}'), (3, "c.json:", b''),
        (3, "c.json:1:", b'\xef\xbb\xbf{}'), (3, "c.json:", b'{"data": "a\x00b"}'),
        (3, "duplicate", b'{"seed": 1, "seed": 2}'), (3, "1 MiB", b' ' * (1 << 20) + b'{}'),
        (3, "c.json:1:", b'{"data": "\xff"}'),
    ]:
        path.write_bytes(text)
        refused(code, says, "train", "--config", "c.json")
    refused(1, "nowhere.json", "train", "--config", "nowhere.json")
    refused(3, "regular", "train", "--config", ".")
    os.mkfifo("pipe")
    refused(3, "regular", "train", "--config", "pipe", timeout=5)


@case
def numbers_do_not_follow_the_locale():
    env = {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}
    line = ["train", "--data", corpus(), *tiny("--lr", "0.5", "--steps", "1", "--run", "r")]
    good(*line, env=env)
    refused(2, "is no number", "train", "--data", "text.txt", "--lr", "0,5", env=env)
    assert rows("r"), "no row could be read"
    for line in (pathlib.Path("r") / "metrics.csv").read_text().splitlines():
        assert line.count(",") == 8, line
    assert json.loads((pathlib.Path("r") / "config.json").read_text())["options"]["lr"] == 0.5


@case
def version_is_one_line():
    assert re.fullmatch(r"retrograd \d+\.\d+\.\d+\n", good("version").stdout)
    assert good("--version").stdout == good("version").stdout
    assert json.loads(good("version", "--json").stdout)["v"] == 1


main()
