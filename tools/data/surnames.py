#!/usr/bin/env python3
# surnames.py -- surnames of nine languages, from Debian's python3-fake-factory.
"""usage: surnames.py [FOLDER]

Writes surnames.tsv, columns `name` and `language`, a row for each spelling of a language, in order.
The package is Expat-licensed (Debian's changes GPL-2+); its Python is read, not run."""
import ast
import collections
import re

import common

PACKAGE = "python3-fake-factory"
WHERE = re.compile(r".*/faker/providers/person/(\w\w)(?:_\w\w)?/__init__\.py$")
LANGUAGES = {"de": "German", "en": "English", "es": "Spanish", "et": "Estonian", "fi": "Finnish",
             "fr": "French", "hr": "Croatian", "nl": "Dutch", "pl": "Polish"}
SHA = {"surnames.tsv":
       "c28c62154128658bd5d1cce7d44ec19e037c27ef2dc937020fb06da28ba38de8"}


def surnames(source):
    """All strings in what is assigned to a variable that has last_names in its name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and any("last_names" in getattr(t, "id", "")
                                                for t in node.targets):
            for leaf in ast.walk(node.value):
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
                    yield leaf.value.strip()


def macro_f1_of_majority(truth, answer):
    """Of always the same answer: its own F1 over the number of classes."""
    hits = sum(t == answer for t in truth)
    return 2 * hits / (hits + len(truth)) / len(LANGUAGES)


def main():
    folder = common.arguments(__doc__, "surnames", SHA)
    files, package = common.members(PACKAGE, WHERE.match)
    rows = sorted({(name, LANGUAGES[code]) for path, source in files.items()
                   if (code := WHERE.match(path)[1]) in LANGUAGES
                   for name in surnames(source) if name})
    parts = collections.defaultdict(list)
    for name, language in rows:
        parts[common.part(name)].append(language)
    spelled = collections.Counter(name for name, _ in rows)
    majority = collections.Counter(parts["train"]).most_common(1)[0][0]
    right = parts["test"].count(majority) / len(parts["test"])
    sizes = {p: len(parts[p]) for p in common.PARTS}
    common.say(f"{len(rows)} rows, {len(spelled)} spellings, {sum(n > 1 for n in spelled.values())}"
               f" of them in several languages; {sizes}")
    common.say(", ".join(f"{k} {n}" for k, n in collections.Counter(
        language for _, language in rows).most_common()))
    common.say(f"baseline on test: always {majority} {right:.3f}, macro-F1 "
               f"{macro_f1_of_majority(parts['test'], majority):.3f}")
    common.write(folder, {"surnames.tsv": common.table(("name", "language"), rows)}, SHA,
                 {**package, "license": "Expat (the package as patched by Debian: GPL-2+)",
                  "rows": len(rows), "parts": sizes, "split": common.HASHED})


if __name__ == "__main__":
    main()
