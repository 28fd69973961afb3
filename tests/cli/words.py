"""words.py -- language models of words: vocabularies, perplexity, samples, vectors, bad input."""
import math
import random
import struct

from driver import *

def story(path="story.txt", n=3000, strange=0):
    """Words that follow each other more or less, in lines; the last `strange` are never seen."""
    chance = random.Random(3)
    bag = [f"{a}{b}" for a in "bdgklm" for b in ("a", "e", "o", "ü")]
    text, at = [], 0
    for i in range(n):
        at = (at + chance.choice([1, 1, 1, 2, 7])) % len(bag)
        word = f"new{i}" if i >= n - strange else bag[at]
        text.append(word + chance.choice([" ", " ", "  ", "\n"]))
    pathlib.Path(path).write_text("".join(text), encoding="utf-8")
    return path


def learn(folder, *arguments, data=None):
    return good("train", "--data", data or story(), "--run", folder, "--units", "word",
                *tiny("--sample-length", 6, *arguments))


def vocabulary(folder):
    shown = json.loads(good("info", f"{folder}/ckpt-last.safetensors", "--json").stdout)
    return json.loads(shown["metadata"]["vocabulary"])


@case
def a_model_of_words_says_perplexity_per_word_and_bits_per_character():
    done = learn("r", "--steps", 150, "--lr", 0.03, "--batch", 8)
    text = pathlib.Path("story.txt").read_text()
    words = text.split()
    test = words[-150:]
    table = done.stdout.split("\n")
    assert "perplexity per word" in table[0] and "(150 words, 0.00 % unknown)" in table[0], table
    assert [t.split()[0] for t in table[1:5]] == ["uniform", "count", "count", "count"], table
    assert "lstm 1x12, embedding 6, 25 words" in table[5], table
    # the unigram: counts of the training part, 0.01 added to each of the 25
    train = words[:2700]
    p = [(train.count(w) + .01) / (2700 + .25) for w in test]
    unigram = math.exp(-sum(map(math.log, p)) / 150)
    assert f"{unigram:.2f}" in table[2].split(), (unigram, table)
    model = float(table[5].split("words")[1].split()[0])
    assert model < .5 * unigram, table  # it has learned what follows what
    told = json.loads(good("eval", "r", "--json").stdout)
    last = [row for row in rows("r") if row["split"] == "test"][0]
    assert last["ppl"] == float(f"{told['ppl']:.9g}") and told["words"] == 149
    assert abs(told["ppl"] - math.exp(told["loss"])) < 1e-9 * told["ppl"]
    spread = len(text.split(None, 2850)[-1]) / 150  # the test part, white space and all
    assert abs(told["bpc"] - told["loss"] / math.log(2) / spread) < 1e-9, (told, spread)
    said = good("eval", "r").stdout
    assert said.startswith(f"perplexity {told['ppl']:.3f} per word") and "0.00 % unknown" in said
    head = pathlib.Path("r/metrics.csv").read_text().split("\n")[0]
    assert head == "time,step,epoch,split,loss,ppl,bpc,grad_norm,lr,tok_s"
    assert all("ppl" in row for row in rows("r"))
    assert "perplexity per word" in pathlib.Path("r/plot.svg").read_text()
    assert "words_s=" in done.stderr and " ppl=" in done.stderr
    config = json.loads(pathlib.Path("r/config.json").read_text())
    assert config["data"]["words"] == 3000 and config["data"]["symbols"] == 25


@case
def the_training_part_makes_the_vocabulary_and_the_rest_is_unknown():
    story(strange=30)
    done = learn("r", "--steps", 20, "--vocab-size", 12, "--json", data="story.txt")
    words = pathlib.Path("story.txt").read_text().split()
    by_count = sorted(set(words[:2700]), key=lambda w: (-words[:2700].count(w), w.encode()))
    assert vocabulary("r") == ["<unk>", *by_count[:11]]
    told = json.loads(done.stdout.splitlines()[-1])
    share = sum(w not in by_count[:11] for w in words[-150:]) / 150
    assert abs(told["unknown"] - share) < 1e-12 and told["uniform"] == 12, told
    least = sorted(words[:2700].count(w) for w in by_count)[10] + 1
    learn("m", "--steps", 20, "--min-count", least, data="story.txt")
    kept = [w for w in by_count if words[:2700].count(w) >= least]
    assert 0 < len(kept) < 24 and vocabulary("m") == ["<unk>", *kept]
    pathlib.Path("other.txt").write_text("ba be zu " * 40)
    said = good("eval", "m", "--data", "other.txt").stdout
    assert "119 words" in said and "33.33 % unknown" in said, said


@case
def a_file_of_words_is_the_vocabulary_line_by_line():
    known = ["be", "<unk>", "ba", "mü", "never"]
    pathlib.Path("v.txt").write_text("\n".join(known) + "\n")
    learn("r", "--steps", 20, "--vocab", "v.txt")
    assert vocabulary("r") == known
    pathlib.Path("v.txt").rename("w.txt")
    told = json.loads(good("eval", "r", "--json").stdout)  # the run has its words
    assert 0.8 < told["unknown"] < 0.95, told
    refused(1, "v.txt", "train", "--resume", "r", "--steps", 30)
    pathlib.Path("v.txt").write_text("\n".join(known[::-1]) + "\n")
    refused(3, "v.txt: not the words that this run was started with", "train", "--resume", "r",
            "--steps", 30)
    pathlib.Path("v.txt").write_text("\n".join(known) + "\n")
    good("train", "--resume", "r", "--steps", 30)
    learn("whole", "--steps", 30, "--vocab", "v.txt")
    assert checkpoint("r") == checkpoint("whole")


@case
def a_run_of_words_stopped_and_resumed_is_the_whole_run():
    more = ["--dropout", "0.2", "--layers", "2", "--cell", "gru"]
    whole = learn("whole", "--steps", 45, *more, "--threads", 1)
    learn("part", "--steps", 17, *more)
    done = good("train", "--resume", "part", "--steps", 45, "--threads", 3)
    assert done.stdout == whole.stdout and checkpoint("part") == checkpoint("whole")


@case
def bytes_are_a_unit_and_the_short_option_says_the_same():
    text = story()
    for folder, how in (("a", ["--bytes"]), ("b", ["--units", "byte"])):
        good("train", "--data", text, "--run", folder, *tiny("--steps", 15), *how)
        options = json.loads(pathlib.Path(f"{folder}/config.json").read_text())["options"]
        assert options["units"] == "byte" and options["bytes"] is True, options
    assert checkpoint("a") == checkpoint("b")
    for how in (["--bytes"], ["--units", "byte"]):
        good("train", "--resume", "a", "--steps", 16, *how, "--quiet")
        shutil.rmtree("a")
        shutil.copytree("b", "a")
    refused(2, "--bytes is --units byte", "train", "--data", text, "--bytes", "--units", "word")
    refused(2, "--bytes is --units byte", "train", "--data", text, "--bytes", "--units", "char")
    refused(2, "characters, words or bytes", "train", "--data", text, "--units", "number")
    refused(2, "the run was started with byte", "train", "--resume", "b", "--units", "word")


@case
def samples_are_known_words_with_blanks_between():
    known = ["<unk>", "ba", "be", "bo", "ma", "me"]
    pathlib.Path("v.txt").write_text("\n".join(known) + "\n")
    done = learn("r", "--steps", 30, "--vocab", "v.txt")  # most words are unknown
    samples = [row[7:] for row in done.stderr.splitlines() if row.startswith("sample ")]
    written = good("sample", "r", "--temperature", 2).stdout
    assert samples and len(written.split()) == 100 and written.count("\n") == 1
    for text in (*samples, written):
        assert set(text.split()) <= set(known[1:]) and "  " not in text, text
    assert written == good("sample", "r", "--temperature", 2).stdout
    assert written != good("sample", "r", "--temperature", 2, "--seed", 4).stdout
    greedy = good("sample", "r", "--temperature", 0, "--length", 5).stdout.split()
    assert len(greedy) == 5 and "<unk>" not in greedy
    primed = good("sample", "r", "--prime", "ba  zu be", "--length", 3)
    assert primed.stdout.startswith("ba  zu be ") and len(primed.stdout.split()) == 6
    assert "1 of 3 words are unknown" in primed.stderr
    assert good("sample", "r", "--prime", "ba be ", "--length", 1).stdout.count("  ") == 0
    told = json.loads(good("sample", "r", "--json", "--length", 4).stdout)
    assert len(told["text"].split()) == 4
    assert good("sample", "r", "--length", 0).stdout == "\n"


@case
def what_comes_next_after_a_line_is_predicted():
    learn("r", "--steps", 150, "--lr", 0.03, "--batch", 8)
    asked = "ba be\n\nnever seen\n"
    said = good("predict", "r", input=asked, stdin=None).stdout.split("\n")
    assert len(said) == 4 and set(said[:3]) <= set(vocabulary("r")[1:]), said
    rich = [row.split("\t") for row in good("predict", "r", "--top-k", 40, input=asked,
                                            stdin=None).stdout.splitlines()]
    for first, row in zip(said, rich):
        p = [float(x) for x in row[1::2]]
        assert row[0] == first and len(p) == 24 and p == sorted(p, reverse=True), row
        assert abs(sum(p) - 1) < 24e-4 / 2 and "<unk>" not in row, row
    told = [json.loads(t) for t in good("predict", "r", "--json", "--top-k", 2, input=asked,
                                        stdin=None).stdout.splitlines()]
    assert [t["line"] for t in told] == [1, 2, 3] and told[0]["input"] == "ba be"
    assert [t["next"][0]["symbol"] for t in told] == said[:3]
    greedy = good("sample", "r", "--prime", "ba be", "--temperature", 0, "--length", 1).stdout
    assert greedy == f"ba be {said[0]}\n", (greedy, said)  # the same model says it
    train("c", "--steps", 15)
    assert len(good("predict", "c", input="abc\n", stdin=None).stdout) in (2, 5)  # or \x0A
    refused(3, "line 1:1:2: ", "predict", "c", input="aZ\n", stdin=None)
    refused(2, "--beam goes with --task seq2seq", "predict", "c", "--beam", 2)


@case
def words_may_start_from_vectors_and_keep_them():
    pathlib.Path("g.txt").write_text("be 1 0 0 0 0.5 0\nba 0 1 0 0 0 0.25\nelse 0 0 1 0 0 0\n")
    held = struct.pack("<6f", 1, 0, 0, 0, .5, 0)
    vectors = ["--embedding", "g.txt"]
    done = learn("r", "--steps", 15, *vectors, "--freeze")
    assert "2 of 25 words have a vector in g.txt; they are not trained" in done.stderr
    assert held in checkpoint("r")
    good("train", "--resume", "r", "--steps", 30)
    learn("whole", "--steps", 30, *vectors, "--freeze")
    assert held in checkpoint("r") and checkpoint("r") == checkpoint("whole")
    learn("t", "--steps", 15, *vectors)
    assert held not in checkpoint("t")
    flow = good("gradflow", "t", "--json")
    learn("plain", "--steps", 15)
    plain = good("gradflow", "plain", "--json")
    first, other = [json.loads(f.stdout.splitlines()[0]) for f in (flow, plain)]
    assert first["label"] == "initial" and first != other  # it began with the vectors
    start = ["train", "--data", "story.txt", "--units", "word"]
    for text, says in (("else 0 0 1 0 0 0\n", "none of the 25 words has a vector"),
                       ("be 0 1\n", "the file's vectors have 2 numbers")):
        pathlib.Path("odd.txt").write_text(text)
        refused(3, says, *start, *tiny("--embedding", "odd.txt"))
    refused(2, "--embedding needs --embed", *start, "--embedding", "g.txt")
    refused(2, "--freeze needs --embed", "train", "--data", "story.txt", "--freeze")
    refused(2, "--embedding: vectors are of words", "train", "--data", "story.txt", *vectors,
            "--embed", 6)


@case
def runs_of_words_are_measured_like_all_others():
    learn("r", "--steps", 15)
    flow = good("gradflow", "r").stdout
    assert "lstm 1x12, embedding 6, 25 words" in flow and "step 15" in flow
    assert "25 words" in good("profile", "r", "--steps", 2).stdout
    assert "25 words" in good("info", "r").stdout
    tried = good("train", "--data", "story.txt", "--units", "word", *tiny(), "--dry-run").stdout
    assert " words a second" in tried and "text 0.0" in tried, tried
    told = json.loads(good("data", "story.txt", "--units", "word", "--json").stdout)
    assert told["kind"] == "words" and told["words"] == 3000 and told["symbols"] == 25
    result = json.loads(good(*("train --units word --quiet --json --run j --data story.txt"
                               .split()), *tiny("--steps", 15)).stdout.splitlines()[-1])
    assert result["count_models"] == [float(x) for x in result["count_models"]]
    assert [f"{x:.6g}" for x in told["count_models"]["test"]] == \
        [f"{x:.6g}" for x in result["count_models"]]
    shown = good("data", "story.txt", "--units", "word", "--vocab-size", 5).stdout
    assert "a vocabulary of 5" in shown and "perplexity per word" in shown


@case
def words_of_tables_have_vocabularies_too():
    chance = random.Random(5)
    text = [[chance.choice(["good", "fine"] if k % 2 else ["bad", "poor"]),
             f"film{chance.randint(0, 30)}"] for k in range(160)]
    body = "".join(f"{a} {b}\t{k % 2}\n" for k, (a, b) in enumerate(text))
    pathlib.Path("t.tsv").write_text("text\tmood\n" + body)
    pathlib.Path("v.txt").write_text("<unk>\ngood\nbad\n")
    small = ["train", "--task", "classify", "--data", "t.tsv", "--units", "word", "--hidden", 8,
             "--embed", 4, "--batch", 8, "--epochs", 2]
    for folder, how, symbols in (("a", ["--vocab", "v.txt"], 3), ("b", ["--vocab-size", 5], 5),
                                 ("c", ["--min-count", 20], 5)):
        good(*small, *how, "--run", folder)
        words = vocabulary(folder)["inputs"]
        assert len(words) == symbols and words[0] == "<unk>", words
        good("train", "--resume", folder, "--epochs", 3)
        assert good("predict", folder, input="good fun\n", stdin=None).stdout.strip() in "01"
    os.remove("v.txt")
    assert "accuracy" in good("eval", "a").stdout
    pathlib.Path("v.txt").write_text("good\nbad\n")
    refused(3, "is none of the 2 that the vocabulary has", *small, "--vocab", "v.txt")
    refused(2, "--vocab goes with --units word", *small[:5], "--vocab", "v.txt")


# ---- Bad input ----------------------------------------------------------------------------------

@case
def vocabularies_that_are_none_are_refused():
    story()
    bad = {"a\nb\na\n": (3, "v.txt:3: 'a' is there twice"), "": (3, "v.txt:1: the file is empty"),
           "a\nb c\n": (3, "v.txt:2: white space within the line"),
           "a\n\nb\n": (3, "v.txt:2: an empty word"),
           "a\ng\udcffd\n": (3, "v.txt:2: 'g\\xffd' is not UTF-8"),
           "<unk>\nx\n": (3, "none of the 3000 words is in v.txt"),
           "ba\nbe\n": (3, "is not in the vocabulary, which has no <unk> (a line <unk>")}
    for text, (code, says) in bad.items():
        pathlib.Path("v.txt").write_text(text, errors="surrogateescape")
        refused(code, says, "train", "--data", "story.txt", "--units", "word", "--vocab", "v.txt")
    refused(1, "nowhere", "train", "--data", "story.txt", "--units", "word", "--vocab", "nowhere")
    refused(3, "no word is in the vocabulary, which has 1", "train", "--data", "story.txt",
            "--units", "word", "--min-count", 10**6)
    assert not os.path.exists("runs")


@case
def options_and_texts_that_do_not_fit_words_are_refused():
    story()
    start = ["train", "--data", "story.txt"]
    for option, value in (("--vocab", "v.txt"), ("--vocab-size", 9), ("--min-count", 2)):
        refused(2, f"{option} goes with --units word", *start, option, value)
        refused(2, f"{option} goes with --units word", "data", "story.txt", option, value)
        refused(2, f"{option} goes with --task", *start, "--task", "forecast", option, value)
    refused(2, "--vocab names the words", *start, "--units", "word", "--vocab", "v", "--vocab-size",
            9)
    refused(2, "--vocab-size: '1' is no whole number", *start, "--units", "word", "--vocab-size", 1)
    refused(3, "90 % of 3000 words", *start, "--units", "word", "--batch", 64, "--seq-len", 64)
    for text, says in (("", "the text is empty"), (" \n\t", "the text is empty"),
                       ("ab\ncd \udcff x", "bad.txt:2: a word that is not UTF-8 text")):
        pathlib.Path("bad.txt").write_text(text, errors="surrogateescape")
        refused(3, says, "train", "--data", "bad.txt", "--units", "word")
    learn("r", "--steps", 15)
    pathlib.Path("bad.txt").write_text("one")
    refused(3, "a text of 1 words has nothing to predict", "eval", "r", "--data", "bad.txt")
    pathlib.Path("bad.txt").write_text("ba be bo")
    refused(3, "3 words are less than a window", "gradflow", "r", "--data", "bad.txt")
    with open("story.txt", "a") as more:
        more.write(" ba")
    refused(3, "changed since the run", "eval", "r")
    refused(3, "not the text that this run was started with", "train", "--resume", "r", "--steps",
            20)


main()
