"""torch_task.py -- a bidirectional model of `retrograd train --task classify` or `tag` in PyTorch:
nn.LSTM and its like with bidirectional=True, loaded by the file's own names, give the loss that
`retrograd eval` says, to 1e-5. Without torch: exit 77."""
import json
import os
import random
import subprocess
import sys
import tempfile

try:
    import torch
    from safetensors import safe_open
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
except ImportError as missing:
    print(f"1..0 # SKIP {missing}")
    sys.exit(0 if "--tap" in sys.argv else 77)

PROGRAM = os.path.abspath(sys.argv[1])
MODULES = {"lstm": torch.nn.LSTM, "gru-after": torch.nn.GRU, "rnn": torch.nn.RNN}


def retrograd(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def table(path, seed, task, n=120):
    """Words, and what their last letters say; or each letter's own and its neighbour's tag."""
    chance = random.Random(seed)
    words = ["".join(chance.choice("abcd") for _ in range(chance.randint(1, 9))) for _ in range(n)]
    says = (lambda w: w[-1]) if task == "classify" else (lambda w: w[1:] + w[:1])
    with open(path, "w", encoding="utf-8") as file:
        file.write("word\tsays\n" + "".join(f"{w}\t{says(w)}\n" for w in words))
    return [(w, says(w)) for w in words]


class Model(torch.nn.Module):
    """What the checkpoint's metadata describes, with the names that the file has."""

    def __init__(self, told, symbols):
        super().__init__()
        self.embed = torch.nn.Embedding(symbols, told["embed"])
        self.rnn = MODULES[told["cell"]](told["embed"], told["hidden"], told["layers"],
                                         bidirectional=True)
        self.out = torch.nn.Linear(2 * told["hidden"], told["outputs"])
        self.tags = told["task"] == "tag"

    def forward(self, rows):
        lengths = torch.tensor([len(row) for row in rows])
        packed = pack_padded_sequence(self.embed(pad_sequence(rows)), lengths, enforce_sorted=False)
        outputs, last = self.rnn(packed)
        if self.tags:
            padded, _ = pad_packed_sequence(outputs)
            return torch.cat([self.out(padded[:n, i]) for i, n in enumerate(lengths)])
        h = last[0] if isinstance(last, tuple) else last
        return self.out(torch.cat([h[-2], h[-1]], -1))


def loss_by_torch(path, pairs):
    """Mean of -log p over all labels."""
    with safe_open(path, framework="pt") as file:
        meta = file.metadata()
        told, words = json.loads(meta["model"]), json.loads(meta["vocabulary"])
        weights = {name: file.get_tensor(name) for name in file.keys()
                   if not name.startswith(("optim.", "plan."))}
    number = {symbol: i for i, symbol in enumerate(words["inputs"])}
    label = {symbol: i for i, symbol in enumerate(words["outputs"])}
    model = Model(told, len(number))
    model.load_state_dict(weights)  # strict: every name, every shape
    model.eval()
    rows = [torch.tensor([number[c] for c in word]) for word, _ in pairs]
    truth = torch.tensor([label[c] for _, says in pairs for c in says])
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(model(rows), truth).item()


def compare(task, cell, layers):
    run = f"{task}-{cell}-{layers}"
    table("train.tsv", 1, task)
    pairs = table("more.tsv", 2, task, 40)
    retrograd("train", "--task", task, "--data", "train.tsv", "--run", run, "--cell", cell,
              "--layers", layers, "--embed", 5, "--hidden", 12, "--bidirectional", "--steps", 40,
              "-q")
    ours = json.loads(retrograd("eval", run, "--data", "more.tsv", "--json"))["loss"]
    theirs = loss_by_torch(f"{run}/ckpt-best.safetensors", pairs)
    wrong = loss_by_torch(f"{run}/ckpt-best.safetensors", pairs[1:])
    return abs(ours - theirs), abs(ours - wrong), f"{run}: retrograd {ours:.9f}, torch {theirs:.9f}"


def main():
    torch.set_num_threads(1)
    cases = [(task, cell, layers) for task in ("classify", "tag") for cell in MODULES
             for layers in (1, 2)]
    failed = 0
    print(f"1..{len(cases)}")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number, one in enumerate(cases, 1):
            off, canary, said = compare(*one)
            good = off < 1e-5 < canary
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {said}")
        os.chdir("/")
    sys.exit(1 if failed else 0)


main()
