"""torch_lm.py -- a checkpoint of `retrograd train` in PyTorch: nn.LSTM, nn.GRU and nn.RNN, loaded
with safetensors, give the loss that `retrograd eval` says, to 1e-5. Without torch: exit 77."""
import json
import os
import random
import subprocess
import sys
import tempfile

try:
    import torch
    from safetensors import safe_open
except ImportError as missing:
    print(f"1..0 # SKIP {missing}")
    sys.exit(0 if "--tap" in sys.argv else 77)

PROGRAM = os.path.abspath(sys.argv[1])
MODULES = {"lstm": torch.nn.LSTM, "lstm-proj": torch.nn.LSTM, "gru-after": torch.nn.GRU,
           "rnn": torch.nn.RNN, "rnn-relu": torch.nn.RNN}


def retrograd(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def text_of_words(n=20000):
    chance = random.Random(5)
    bag = ["".join(chance.choice("abcdefghij\u00e9\u4e2d") for _ in range(chance.randint(2, 7)))
           for _ in range(80)]
    return " ".join(chance.choice(bag) for _ in range(n // 5))[:n]


class Model(torch.nn.Module):
    """What the checkpoint's metadata describes, with the names that the file has."""

    def __init__(self, cell, hidden, layers, embed, symbols, proj=0):
        super().__init__()
        if embed:
            self.embed = torch.nn.Embedding(symbols, embed)
        more = {"nonlinearity": "relu"} if cell == "rnn-relu" else \
            {"proj_size": proj} if proj else {}
        self.rnn = MODULES[cell](embed or symbols, hidden, layers, **more)
        self.out = torch.nn.Linear(proj or hidden, symbols)
        self.one_hot = None if embed else symbols

    def forward(self, ids):
        x = self.embed(ids) if self.one_hot is None else \
            torch.nn.functional.one_hot(ids, self.one_hot).to(self.out.weight.dtype)
        return self.out(self.rnn(x.unsqueeze(1))[0].squeeze(1))


def loss_by_torch(path, text):
    """Mean of -log p over all characters but the first, one stream from a zero state."""
    with safe_open(path, framework="pt") as file:
        meta = file.metadata()
        told = json.loads(meta["model"])
        vocabulary = json.loads(meta["vocabulary"])
        weights = {name: file.get_tensor(name) for name in file.keys()
                   if not name.startswith(("optim.", "plan."))}
    model = Model(told["cell"], told["hidden"], told["layers"], told["embed"], len(vocabulary),
                  told.get("proj", 0))
    model = model.to(next(iter(weights.values())).dtype)
    model.load_state_dict(weights)  # strict: every name, every shape
    model.eval()
    number = {symbol: i for i, symbol in enumerate(vocabulary)}
    ids = torch.tensor([number[c] for c in text])
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(model(ids[:-1]), ids[1:]).item()


def compare(cell, layers, embed, dtype):
    run = f"{cell}-{layers}-{embed}-{dtype}"
    retrograd("train", "--data", "text", "--run", run, "--cell", cell, "--layers", layers,
              "--embed", embed, "--dtype", dtype, "--hidden", 24, "--batch", 8, "--seq-len", 16,
              "--steps", 60, "-q")
    with open("text", encoding="utf-8", newline="") as file:
        text = file.read()
    test = text[len(text) * 95 // 100:]
    ours = json.loads(retrograd("eval", run, "--json"))["loss"]
    theirs = loss_by_torch(f"{run}/ckpt-best.safetensors", test)
    return abs(ours - theirs), f"{run}: retrograd {ours:.9f}, torch {theirs:.9f}"


def main():
    torch.set_num_threads(1)
    cases = [(cell, layers, embed, dtype) for cell in MODULES for layers, embed, dtype in
             ((1, 0, "f32"), (2, 9, "f32"), (3, 9, "f64"))]
    failed = 0
    print(f"1..{len(cases) + 1}")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("text", "w", encoding="utf-8", newline="") as file:
            file.write(text_of_words())
        for number, one in enumerate(cases, 1):
            off, said = compare(*one)
            failed += not off < 1e-5
            print(f"{'ok' if off < 1e-5 else 'not ok'} {number} - {said}")
        wrong = loss_by_torch("lstm-1-0-f32/ckpt-best.safetensors", "ab cd ef gh" * 9)
        off = abs(wrong - json.loads(retrograd("eval", "lstm-1-0-f32", "--json"))["loss"])
        failed += off < 1e-3
        print(f"{'not ok' if off < 1e-3 else 'ok'} {len(cases) + 1} - canary: another text")
        os.chdir("/")
    sys.exit(1 if failed else 0)


main()
