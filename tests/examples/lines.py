"""lines.py KIND FILE -- a few lines of the form that tools/data writes, made up by rules that a
model can find, so that the examples run where no package can be fetched. FILE may be a folder."""
import random
import struct
import sys
import zipfile
from pathlib import Path

draw = random.Random(7)


def table(rows, gap="\t"):
    return "".join(gap.join(row) + "\n" for row in rows)


def surnames():
    """One language ends in -ski, one in -son, the third in neither."""
    letters = "abdegiklmnorstu"
    ends = {"Polish": "ski", "English": "son", "Dutch": "aart"}
    yield "name", "language"
    for _ in range(400):
        language = draw.choice(list(ends))
        yield "".join(draw.choices(letters, k=draw.randint(2, 6))) + ends[language], language


def digits():
    """A bar at another place for each digit, with noise."""
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    yield [*(f"p{i}" for i in range(64)), "digit", "word"]
    for k in range(400):
        d = k % 10
        image = [draw.randint(0, 5) + (10 if 6 * d <= i < 6 * d + 8 else 0) for i in range(64)]
        yield [*map(str, image), str(d), words[d]]


def lexicon():
    """Every letter has its phone, but c before e is s, and x is two."""
    phones = {"a": "aa", "b": "b", "c": "k", "e": "eh", "t": "t", "x": "k s"}
    yield "word", "phones"
    for word in sorted({"".join(draw.choices("abcetx", k=draw.randint(2, 9))) for _ in range(600)}):
        yield word, " ".join("s" if word[i:i + 2] == "ce" else phones[c]
                             for i, c in enumerate(word))


def case():
    """Capitals begin sentences."""
    yield "text", "tags"
    for _ in range(120):
        text = ""
        for _ in range(draw.randint(1, 4)):
            words = ["".join(draw.choices("abei", k=draw.randint(2, 5))) for _ in range(3)]
            text += (" " if text else "") + " ".join(words).capitalize() + "."
        yield text.lower(), "".join(str(int(c.isupper())) for c in text)


def npy(kind, shape, numbers):
    head = f"{{'descr': '<{kind}4', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    body = struct.pack(f"<{len(numbers)}{'f' if kind == 'f' else 'i'}", *numbers)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + body


def features(path):
    """Two patterns in either order, with noise: their mean does not tell which came first."""
    n, steps, width, x, y = 256, 6, 8, [], []
    for _ in range(n):
        first = draw.randint(0, 1)
        y.append(first)
        for t in range(steps):
            on = first == (t < steps // 2)
            x += [draw.gauss(0, 0.3) + (j % 2 == on) for j in range(width)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy("f", (n, steps, width), x))
        archive.writestr("y.npy", npy("i", (n,), y))


def vectors():
    """GloVe's form: a word and its numbers; one word that nobody asks for."""
    for word in "bread apple soup rice eat cook stone car road bridge drive unasked".split():
        yield word, *(f"{draw.gauss(0, 1):.4f}" for _ in range(4))


def main():
    kind, path = sys.argv[1], Path(sys.argv[2])
    if kind == "case":
        path.mkdir()
        for part in ("train", "valid", "test"):
            (path / f"{part}.tsv").write_text(table(case()))
    elif kind == "features":
        features(path)
    else:
        rows = {"surnames": surnames, "digits": digits, "lexicon": lexicon, "vectors": vectors}
        gap = {"digits": ",", "vectors": " "}.get(kind, "\t")
        path.write_text(table(rows[kind](), gap))


main()
