"""badinput.py -- texts, files and folders that are not what they should be: one clear message, the
documented exit code, nothing written, nothing lost."""
from driver import *

EVERYTHING = ["train", "--data"]


def anybody():
    """Run as somebody without rights: root may write everywhere."""
    if os.geteuid() != 0:
        return {}
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        good("version", **nobody)
    except (OSError, AssertionError) as why:
        raise Skip(f"nobody but root can run this program where it lies: {why}") from None
    return nobody


def nothing_new(before):
    assert sorted(os.listdir()) == sorted(before), sorted(os.listdir())


@case
def texts_that_cannot_be_trained_on_are_refused():
    files = {
        "empty.txt": (3, "the text is empty", b""),
        "bom.txt": (3, "the text is empty", b"\xef\xbb\xbf"),
        "short.txt": (3, "the training part", b"abc"),
        "latin.txt": (3, "latin.txt:2:3: byte 0xe9 is not UTF-8 (try --bytes)", b"ab\ncd\xe9 f"),
        "cut.txt": (3, "cut.txt:1:3: byte 0xe2", b"ab\xe2\x82"),
        "nul.txt": (3, "nul.txt:2:2: byte 0x00 is not UTF-8 text (NUL) (try --bytes)", b"a\nb\0c"),
    }
    for name, (_, _, data) in files.items():
        pathlib.Path(name).write_bytes(data)
    os.mkfifo("pipe")
    pathlib.Path("secret").write_text("x")
    before = os.listdir()
    for name, (code, says, _) in files.items():
        refused(code, says, *EVERYTHING, name)
    refused(1, "no such file", *EVERYTHING, "nowhere.txt")
    refused(1, "folder", *EVERYTHING, ".")
    refused(1, "pipe", *EVERYTHING, "pipe", timeout=5)
    refused(1, "/dev/zero", *EVERYTHING, "/dev/zero", timeout=5)
    if os.geteuid() != 0:
        os.chmod("secret", 0)
        refused(1, "permission", *EVERYTHING, "secret")
    nothing_new(before)


@case
def parts_smaller_than_a_window_are_refused_with_the_numbers():
    corpus("t", 3000)
    refused(3, "the training part (90 % of 3000 characters) has 2700, but one window of 64 steps "
            "in 100 rows needs 6401", *EVERYTHING, "t", "--batch", 100)
    refused(3, "the validation part (5 % of 3000 characters) has 150, but one window of 200 steps "
            "needs 201", *EVERYTHING, "t", "--batch", 1, "--seq-len", 200)
    nothing_new(["t"])


@case
def absurd_sizes_are_refused_before_memory_is_touched():
    corpus("t")
    began = time.monotonic()
    refused(2, "GiB", *EVERYTHING, "t", "--batch", 1, "--hidden", 65536, "--layers", 64)
    refused(2, "GiB", *EVERYTHING, "t", "--batch", 1, "--hidden", 65536)
    assert time.monotonic() - began < 5
    nothing_new(["t"])


@case
def a_byte_order_mark_and_odd_line_ends_are_said_once():
    text = words(4000).replace("\n", "\r\n")
    pathlib.Path("t").write_bytes(b"\xef\xbb\xbf" + (text[:2000] + "\r" + text[2000:]).encode())
    done = good(*EVERYTHING, "t", *tiny(), "--dry-run")
    assert done.stderr.count("byte order mark is dropped") == 1
    assert done.stderr.count("CR LF") == 1 and done.stderr.count("lone CR") == 1
    assert done.stdout.startswith("plan ") and " CR" not in done.stdout
    nothing_new(["t"])


@case
def bytes_take_any_file():
    data = bytes((i * i * 7 + i // 3) % 256 for i in range(5000))
    pathlib.Path("t").write_bytes(data)
    good(*EVERYTHING, "t", "--bytes", "--run", "r", "--steps", 3, *tiny())
    done = subprocess.run([PROGRAM, "sample", "r", "--length", "50"], env=BASE_ENV,
                          capture_output=True)
    assert done.returncode == 0 and len(done.stdout) == 51, done
    listed = json.loads(good("sample", "r", "--length", 50, "--json").stdout)
    assert bytes(listed["bytes"]) == done.stdout[:-1]
    assert json.loads(good("eval", "r", "--json").stdout)["characters"] == 249


@case
def an_existing_run_folder_is_refused_and_left_alone():
    train("r", "--steps", 5)
    before = {p.name: p.read_bytes() for p in pathlib.Path("r").iterdir()}
    refused(2, "r exists; go on with it by --resume r", *EVERYTHING, "text.txt", "--run", "r",
            *tiny())
    pathlib.Path("file").write_text("x")
    refused(2, "file exists", *EVERYTHING, "text.txt", "--run", "file", *tiny())
    assert before == {p.name: p.read_bytes() for p in pathlib.Path("r").iterdir()}


@case
def folders_without_a_name_get_one_each():
    corpus("My book.v2.txt")
    for _ in range(2):
        good(*EVERYTHING, "My book.v2.txt", "--cell", "gru", "--steps", 1, *tiny())
    assert sorted(os.listdir("runs")) == ["My-book-gru-1", "My-book-gru-2"], os.listdir("runs")


@case
def a_folder_that_cannot_be_written_is_said():
    corpus("t")
    pathlib.Path("file").write_text("x")
    refused(1, "file", *EVERYTHING, "t", *tiny(), "--run", "file/r")
    if os.geteuid() == 0:
        refused(1, "/proc/r", *EVERYTHING, "t", *tiny(), "--run", "/proc/r")


@case
def a_folder_without_permission_is_said_and_left_alone():
    corpus("t")
    train("r", "--steps", 5)
    before = {p.name: p.read_bytes() for p in pathlib.Path("r").iterdir()}
    os.chmod(".", 0o755)
    os.chmod("t", 0o644)
    os.mkdir("locked", 0o555)
    os.chmod("r", 0o555)
    says = "locked/r: Permission denied (choose another --run)"
    refused(1, says, *EVERYTHING, "t", *tiny(), "--run", "locked/r", **anybody())
    refused(1, "r/lock: Permission denied", "train", "--resume", "r", "--steps", 9, **anybody())
    os.chmod("r", 0)
    refused(1, "r/config.json: Permission denied", "train", "--resume", "r", **anybody())
    os.chmod("r", 0o755)
    assert os.listdir("locked") == []
    assert before == {p.name: p.read_bytes() for p in pathlib.Path("r").iterdir()}


@case
def a_resumed_run_must_be_one_and_must_fit():
    train("r", "--steps", 10)
    keep = checkpoint("r")
    os.mkdir("empty")
    refused(1, "nowhere", "train", "--resume", "nowhere")
    refused(3, "not a run folder", "train", "--resume", "empty")
    refused(3, "not a run folder", "train", "--resume", "text.txt")
    refused(2, "--hidden: the run was started with 12", "train", "--resume", "r", "--hidden", 13)
    refused(2, "--cell: the run was started with lstm", "train", "--resume", "r", "--cell", "rnn")
    pathlib.Path("other").write_text(words(6000, seed=2))
    refused(3, "not the text that this run was started with", "train", "--resume", "r", "--data",
            "other", "--steps", 20)
    os.rename("text.txt", "moved.txt")
    refused(1, "text.txt", "train", "--resume", "r", "--steps", 20)
    assert checkpoint("r") == keep
    good("train", "--resume", "r", "--data", "moved.txt", "--steps", 20)


@case
def a_damaged_last_checkpoint_gives_way_to_the_best():
    train("r", "--steps", 30)
    last = pathlib.Path("r/ckpt-last.safetensors")
    damaged = bytearray(last.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    last.write_bytes(damaged)
    done = good("train", "--resume", "r", "--steps", 40)
    assert "going on from ckpt-best" in done.stderr, done.stderr
    last.write_bytes(last.read_bytes()[:100])
    pathlib.Path("other").write_text(words(6000, seed=2))
    refused(3, "not the text that this run was started with", "train", "--resume", "r", "--data",
            "other", "--steps", 50)
    pathlib.Path("r/ckpt-best.safetensors").write_bytes(b"{}")
    refused(3, "safetensors", "train", "--resume", "r", "--steps", 50)


@case
def checkpoints_that_are_none_are_refused():
    train("r", "--steps", 5)
    whole = checkpoint("r")
    pathlib.Path("cut").write_bytes(whole[:400])
    pathlib.Path("text").write_text("no checkpoint at all, just words")
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  '
    pathlib.Path("plain").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0\0\0")
    os.mkdir("empty")
    for command in ("sample", "eval"):
        refused(3, "cut", command, "cut")
        refused(3, "text", command, "text")
        refused(3, "no checkpoint of", command, "plain")
        refused(3, "no checkpoint in this folder", command, "empty")
        refused(1, "nowhere", command, "nowhere")
    refused(3, "cut", "info", "cut")
    good("info", "plain")
    swapped = whole.replace(b'\\"hidden\\": 12', b'\\"hidden\\": 13')
    if swapped != whole:
        pathlib.Path("swapped").write_bytes(swapped)
        refused(3, "swapped", "sample", "swapped")


@case
def unseen_characters_are_named():
    train("r", "--steps", 5)
    refused(2, "never seen 'X' (U+0058), '\u20ac' (U+20AC)", "sample", "r", "--prime", "abX\u20acX")
    refused(2, "U+0009", "sample", "r", "--prime", "a\tb")
    pathlib.Path("t").write_text("abc\nde\u20acf X", encoding="utf-8")
    refused(3, "t:2:3: '\u20ac' (U+20AC) is not in the vocabulary", "eval", "r", "--data", "t")
    pathlib.Path("t").write_text("a")
    refused(3, "nothing to predict", "eval", "r", "--data", "t")
    refused(2, "--data is missing", "eval", "r/ckpt-best.safetensors")
    pathlib.Path("text.txt").write_text(words(6000, seed=3))
    refused(3, "changed since the run", "eval", "r")


@case
def names_with_odd_bytes_are_shown_escaped():
    name = "a\x1b[31m\nb"
    done = run("train", "--data", name)
    assert done.returncode == 1 and "\x1b" not in done.stderr and done.stderr.count("\n") == 1
    corpus(name)
    good("train", "--data", name, "--run", "dir\nwith break", "--steps", 1, *tiny())
    done = good("sample", "dir\nwith break", "--length", 5)
    assert len(done.stdout) == 6


main()
