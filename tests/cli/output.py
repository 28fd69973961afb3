"""output.py -- who writes where: results on stdout, all else on stderr, no escapes in pipes."""
import pty
import re
import select
import unicodedata

from driver import *


def terminal(*arguments, env=None, columns=80, seconds=30):
    """Everything that the program writes to a terminal as stderr, and its exit code."""
    import fcntl
    import struct
    import termios
    try:
        control, end = pty.openpty()
    except OSError as why:
        raise Skip(f"no terminal can be made: {why}") from None
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = start(*arguments, env={"TERM": "xterm", **(env or {})}, stdout=subprocess.DEVNULL,
                    stderr=end)
    os.close(end)
    text, stop = b"", time.monotonic() + seconds
    while time.monotonic() < stop:
        if select.select([control], [], [], 0.1)[0]:
            try:
                piece = os.read(control, 65536)
            except OSError:
                break
            if not piece:
                break
            text += piece
    os.close(control)
    return text.decode(errors="replace"), process.wait(timeout=seconds)


@case
def results_go_to_stdout_and_everything_else_to_stderr():
    done = train("r", "--steps", 20)
    assert done.stdout.startswith("bits per character") and "step=" not in done.stdout
    assert "step=5 of=20" in done.stderr and "\r" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    quiet = train("q", "--steps", 20, "-q")
    assert quiet.stderr == "" and quiet.stdout == done.stdout
    loud = train("v", "--steps", 20, "-v", "--progress", "none")
    assert "step=5" not in loud.stderr and "plan " in loud.stderr


@case
def json_is_one_object_per_line_and_nothing_else():
    done = train("r", "--steps", 20, "--json")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(o["v"] == 1 for o in objects) and len(objects) == len(rows("r")) + 1
    final = objects[-1]
    assert final["part"] == "test" and len(final["count_models"]) == 6 and final["run"] == "r"
    for line in (["eval", "r"], ["sample", "r", "--length", 9], ["info"], ["info", "r"],
                 ["info", "--cell", "gru"], ["version"]):
        assert json.loads(good(*line, "--json").stdout)["v"] == 1, line


@case
def gradcheck_reports_blocks_and_laws():
    small = ["gradcheck", "--cell", "lstm", "--order", 2, "--seed", 3]
    told = json.loads(good(*small, "--json").stdout)
    assert told["verdict"] == "pass" and told["seed"] == 3 and told["failed"] == 0
    assert len(told["blocks"]) == told["passed"] > 50
    assert {"name", "verdict", "oracle", "got", "want", "error", "sigma"} <= set(told["blocks"][0])
    assert any(b.get("h", 0) >= 7e-4 * 0.99 for b in told["blocks"])
    assert [law["name"] for law in told["laws"]] == ["sum over steps", "optimized plan", "f32 plan",
                                                     "dot product", "symmetry"]
    assert all(law["verdict"] == "pass" and law["error"] <= law["bound"] for law in told["laws"])
    table = good(*small).stdout
    assert all(law["name"] in table for law in told["laws"]) and table.endswith("  seed 3\n")


@case
def a_terminal_gets_a_bar_of_its_width_that_leaves_nothing():
    corpus()
    for columns in (40, 80, 200):
        text, code = terminal("train", "--data", "text.txt", "--run", f"r{columns}",
                              *tiny("--steps", 400, "--eval-every", 200), columns=columns)
        assert code == 0 and "\r" in text, text[-500:]
        plain = re.sub(r"\x1b\[K", "", text)
        drawn = [t for t in re.split(r"\r|\n", plain) if t.startswith("step ")]
        assert drawn and max(map(len, drawn)) < columns, max(map(len, drawn))
        assert "step=" not in text


@case
def a_dumb_terminal_and_no_color_get_plain_lines():
    corpus()
    text, code = terminal("train", "--data", "text.txt", "--run", "a", *tiny(), "--steps", 20,
                          env={"TERM": "dumb"})
    assert code == 0 and "\x1b" not in text and "step=5" in text
    text, _ = terminal("train", "--data", "nowhere", env={"NO_COLOR": "1"})
    assert "\x1b[3" not in text and "nowhere" in text
    text, _ = terminal("train", "--data", "nowhere")
    assert "\x1b[31m" in text
    done = run("train", "--data", "nowhere", env={"CLICOLOR_FORCE": "1"})
    assert "\x1b[31m" in done.stderr
    done = run("train", "--data", "nowhere", "--color", "never", env={"CLICOLOR_FORCE": "1"})
    assert "\x1b" not in done.stderr
    done = run("train", "--data", "nowhere", "--color", "always", env={"NO_COLOR": "1"})
    assert "\x1b[31m" in done.stderr


def closed(*numbers):
    return lambda: [os.close(n) for n in numbers]


@case
def closed_streams_do_not_stop_a_training():
    corpus()
    for i, numbers in enumerate(((1,), (2,), (1, 2), (0, 1, 2))):
        line = [PROGRAM, "train", "--data", "text.txt", "--run", f"r{i}", "--steps", "20",
                *map(str, tiny())]
        done = subprocess.run(line, env=BASE_ENV, preexec_fn=closed(*numbers), timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        assert done.returncode == 0, (numbers, done.returncode)
        assert len(rows(f"r{i}")) == 4 + 2 + 1
        assert checkpoint(f"r{i}") == checkpoint("r0")


@case
def a_reader_that_leaves_ends_other_commands_quietly():
    train("r", "--steps", 5)
    process = start("sample", "r", "--length", 10**6)
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=20) == -signal.SIGPIPE and err == b"", (process.returncode, err)


@case
def a_full_stdout_is_an_error():
    train("r", "--steps", 5)
    for line in (["sample", "r"], ["eval", "r"], ["info"], ["train", "--help"], ["--help"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([PROGRAM, *line], env=BASE_ENV, stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and "No space left" in done.stderr, (line, done)


@case
def info_describes_cells():
    for cell, count, widths in (("rnn", 3, "H"), ("gru", 9, "H"), ("lstm", 12, "HH"),
                                ("lstm-proj", 13, "PH"), ("sru", 8, "HH"), ("qrnn", 9, "HHI")):
        told = json.loads(good("info", "--cell", cell, "--json").stdout)
        assert len(told["parameters"]) == count and told["states"] == len(widths), told
        assert told["widths"] == list(widths), told
    assert told["weights"] == "6\u00b7I\u00b7H + 3\u00b7H", told
    assert told["flop"] == "12\u00b7I\u00b7H + 14\u00b7H", told
    text = good("info", "--cell", "lstm").stdout
    assert "c' = f\u2218c + i\u2218c\u0302" in unicodedata.normalize("NFD", text), text
    for part in ("[I,H]", "[H,H]", "8\u00b7I\u00b7H + 8\u00b7H\u00b2 + 17\u00b7H", "1997"):
        assert part in text, (part, text)


@case
def info_knows_every_cell_that_train_knows():
    text = good("train", "--help").stdout
    names = re.search(r"--cell NAME[^:]*: ([a-z0-9,\s-]+)", text)[1].replace(",", " ").split()
    assert {"rnn", "gru", "lstm", "mgu", "qrnn", "irnn"} <= set(names), names
    for name in names:
        text = good("info", "--cell", name).stdout
        assert " = " in text and "operations per row and step" in text, (name, text)


main()
