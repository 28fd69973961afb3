#!/usr/bin/env python3
# lexicon.py -- English words and how they sound, from Debian's festlex-cmu.
"""usage: lexicon.py [FOLDER]

Writes lexicon.tsv, columns `word` (a to z) and `phones` (blanks between them), a row for each
pronunciation, in order. Free under the terms of CSTR and CMU."""
import collections
import re

import common

PACKAGE = "festlex-cmu"
INSIDE = "usr/share/festival/dicts/cmu/cmudict-0.4.out"
ENTRY = re.compile(r'\("([A-Za-z]+)" \S+ \((.*)\)\)$')
SHA = {"lexicon.tsv":
       "71e0167a005fd7a7ed14fd179dea8d88f5fdcc921ec9aac96e7f9ddba3209177"}


def entries(text):
    """("word" nil (((phones) stress) ((phones) stress))) -> word and phones."""
    for line in text.splitlines():
        if entry := ENTRY.match(line):
            yield entry[1].lower(), " ".join(re.findall(r"[a-z]+", entry[2]))


def main():
    folder = common.arguments(__doc__, "lexicon", SHA)
    files, package = common.members(PACKAGE, lambda path: path == INSIDE)
    rows = sorted(set(entries(files[INSIDE].decode())))
    phones = [p.split() for _, p in rows]
    parts = collections.Counter(common.part(word) for word, _ in rows)
    sizes = {p: parts[p] for p in common.PARTS}
    count = collections.Counter(p for (word, _), ps in zip(rows, phones)
                                if common.part(word) == "train" for p in ps)
    usual = count.most_common(1)[0][0]
    test = [p for (word, _), ps in zip(rows, phones) if common.part(word) == "test" for p in ps]
    letters = sum(len(word) for word, _ in rows)
    common.say(f"{len(rows)} entries of {len({w for w, _ in rows})} words, {sizes}; {len(count)} "
               f"phones; mean {letters / len(rows):.1f} letters -> "
               f"{sum(map(len, phones)) / len(rows):.1f} phones, at most "
               f"{max(len(w) for w, _ in rows)} -> {max(map(len, phones))}")
    common.say(f"baseline on test: always {usual}, as many as are right: phone error rate "
               f"{1 - test.count(usual) / len(test):.3f}, word error rate 1.000")
    common.write(folder, {"lexicon.tsv": common.table(("word", "phones"), rows)}, SHA,
                 {**package, "license": "CSTR and CMU, free", "rows": len(rows), "parts": sizes,
                  "split": common.HASHED})


if __name__ == "__main__":
    main()
