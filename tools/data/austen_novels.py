#!/usr/bin/env python3
# austen_novels.py -- which of Jane Austen's novels is this passage from?
"""usage: austen_novels.py [FOLDER]

Writes train.tsv, valid.tsv and test.tsv: `text`, 200 characters in a row, and `novel`, its title.
From the text of austen.py, the first 90 % of each novel being to train on, the next 5 % valid, the
last 5 % test. MIT (package), public domain (text)."""
import collections
import math

import austen
import common

WIDTH = 200
SHA = {
    "train.tsv":
        "3d448b5c1392ca511e1e8b8a70511bcfa7150692930fb60f5e2d8c02a69d00b4",
    "valid.tsv":
        "61f250c6d32101fb4bdf49cf0ffc0283ad8d6447419d742d9aec1320dc50b911",
    "test.tsv":
        "f4e33cd4883717b6680f3731efc65789bf8e41c9b263edf91a5eb7528cac8257",
}


def passages(text):
    text = " ".join(text.split())
    return [text[i:i + WIDTH] for i in range(0, len(text) - WIDTH + 1, WIDTH)]


def by_words(train, test):
    """Share that naive Bayes on words gets right, each count raised by one."""
    count = {title: collections.Counter() for title in austen.TITLES}
    for text, title in train:
        count[title].update(text.split())
    known = len(set().union(*count.values())) + 1
    number = collections.Counter(title for _, title in train)
    total = {title: sum(c.values()) + known for title, c in count.items()}
    right = 0
    for text, truth in test:
        score = {title: math.log(number[title]) + sum(
            math.log((count[title][word] + 1) / total[title]) for word in text.split())
            for title in austen.TITLES}
        right += max(score, key=score.get) == truth
    return right / len(test)


def main():
    folder = common.arguments(__doc__, "austen-novels", SHA)
    books, package = austen.novels()
    rows = {name: [(text, title) for book, title in zip(books, austen.TITLES)
                   for text in passages(common.stretches(book.decode())[k])]
            for k, name in enumerate(common.PARTS)}
    parts = {name: len(r) for name, r in rows.items()}
    titles = collections.Counter(title for _, title in rows["train"])
    usual = titles.most_common(1)[0][0]
    share = sum(title == usual for _, title in rows["test"]) / parts["test"]
    common.say(f"{sum(parts.values())} passages, {parts}; baselines on test: always {usual} "
               f"{share:.3f}, naive Bayes on words {by_words(rows['train'], rows['test']):.3f}")
    files = {f"{name}.tsv": common.table(("text", "novel"), r) for name, r in rows.items()}
    common.write(folder, files, SHA, {**package, "parts": parts, "split": "by characters of each "
                                      "novel: 90 % train, 5 % valid, 5 % test"})


if __name__ == "__main__":
    main()
