#!/usr/bin/env python3
# austen_case.py -- capitals to be restored: Jane Austen's sentences without them.
"""usage: austen_case.py [FOLDER]

Writes train.tsv, valid.tsv and test.tsv: `text`, up to 128 characters of a paragraph in lower case,
and `tags`, for each of its characters 1 if it was a capital, else 0. From the text of austen.py,
the first 90 % of each novel being to train on, the next 5 % valid, the last 5 % test. MIT
(package), public domain (text)."""
import re

import austen
import common

WIDTH = 128
SHA = {
    "train.tsv":
        "f3da35ba110af0e28d1ddee721af9215b55181e645388a7378f0d4fa387dc4b7",
    "valid.tsv":
        "a7a1c514c32652474d86ff3ae04d8958deef5ad1027b9e9800b6617f671714d1",
    "test.tsv":
        "68a79b9eddd3085750520fe764a94fa87adcf25ce76222db18ea011cc2f2af8b",
}


def passages(text):
    """Paragraphs in one line each, cut between words."""
    for paragraph in re.split(r"\n\s*\n", text):
        line = ""
        for word in paragraph.split():
            if line and len(line) + 1 + len(word) > WIDTH:
                yield line
                line = ""
            line += (" " if line else "") + word
        if line:
            yield line


def f1(truth, answer):
    both = sum(a == b == "1" for a, b in zip(truth, answer))
    return 2 * both / (truth.count("1") + answer.count("1"))


def by_rule(text):
    """A capital where a passage or a sentence begins, and for `i` alone."""
    spots = {m.start(1) for m in re.finditer(r"(?:^|[.?!]['\")_]* )['\"(_]*([a-z])", text)}
    spots |= {m.start() for m in re.finditer(r"\bi\b", text)}
    return "".join("1" if i in spots else "0" for i in range(len(text)))


def main():
    folder = common.arguments(__doc__, "austen-case", SHA)
    books, package = austen.novels()
    files, parts = {}, {}
    for k, name in enumerate(common.PARTS):
        lines = [line for book in books for line in passages(common.stretches(book.decode())[k])]
        rows = [(line.lower(), "".join(str(int(c != c.lower())) for c in line)) for line in lines]
        assert all(len(text) == len(tags) for text, tags in rows)
        files[f"{name}.tsv"] = common.table(("text", "tags"), rows)
        parts[name] = len(rows)
    truth = "".join(tags for _, tags in rows)
    rule = "".join(by_rule(text) for text, _ in rows)
    right = sum(a == b for a, b in zip(truth, rule)) / len(truth)
    common.say(f"{sum(parts.values())} passages, {parts}; baselines on test: all lower case "
               f"{truth.count('0') / len(truth):.4f} of characters right, F1 of capitals 0; "
               "capitals where a passage or sentence begins and for `i` alone "
               f"{right:.4f}, F1 {f1(truth, rule):.3f}")
    common.write(folder, files, SHA, {**package, "parts": parts, "split": "by characters of each "
                                      "novel: 90 % train, 5 % valid, 5 % test"})


if __name__ == "__main__":
    main()
