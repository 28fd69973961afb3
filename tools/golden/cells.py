#!/usr/bin/env python3
"""Known answers for the cells that tools/golden/make.py has not, from PyTorch in double precision.

    python3 tools/golden/cells.py tests/layers/golden [PYTHON]

Each cell is a few lines of torch below, from its paper; the projected LSTM is PyTorch's own. Data
are drawn by name as in make.py. A case holds, per output, final state and gradient, its norm and
two products with drawn vectors. PYTHON is one that has onnxruntime: peepholes, coupled gates and
bounded pre-activations are then held against its cells, in single precision. The last line is
FNV-1a-64 of all before it."""
import json
import subprocess
import sys

import torch
from torch.nn.functional import layer_norm, softplus

import make

SCALE = 0.7  # weights are U(-SCALE, SCALE)
B, I, H, P = 3, 4, 6, 3
CLIP = 0.5
WINDOW = 4
sigma, tanh = torch.sigmoid, torch.tanh


def norm(v, p, name, eps=1e-5):
    return layer_norm(v, v.shape[-1:], p["gamma_" + name], p.get("beta_" + name), eps)


def gate(p, k, x, h):
    return x @ p["U" + k] + h @ p["W" + k] + p["b" + k]


# ---- Steps: parameters, input, states -> output, states ------------------------------------------

def rnn_clip(p, x, h):
    h = tanh(gate(p, "", x, h).clamp(-CLIP, CLIP))
    return h, (h,)


def lstm(peephole=False, coupled=None, clip=None, preact=torch.inf):
    def step(p, x, h, c):
        def see(k, state):
            a = gate(p, k, x, h) + (p["P" + k] * state if peephole and k != "c" else 0)
            return a.clamp(-preact, preact)
        i = sigma(see("i", c)) if coupled != "f" else None
        f = sigma(see("f", c)) if coupled != "i" else 1 - i
        i = 1 - f if coupled == "f" else i
        c = f * c + i * tanh(see("c", c))
        c = c.clamp(-clip, clip) if clip else c
        h = sigma(see("o", c)) * tanh(c)
        return h, (h, c)
    return step


def lstm_norm(kind):
    def step(p, x, h, c):
        if kind == "tf_contrib":
            i, f, g, o = (norm(x @ p["U" + k] + h @ p["W" + k], p, k) for k in "ifco")
        else:
            xs = torch.cat([x @ p["U" + k] for k in "ifco"], -1)
            hs = torch.cat([h @ p["W" + k] for k in "ifco"], -1)
            b = torch.cat([p["b" + k] for k in "ifco"])
            i, f, g, o = (norm(xs, p, "x") + norm(hs, p, "h") + b).chunk(4, -1)
        c = sigma(f) * c + sigma(i) * tanh(g)
        if kind in ("tf_contrib", "addons"):
            c = norm(c, p, "cell")
            h = sigma(o) * tanh(c)
        else:
            h = sigma(o) * tanh(norm(c, p, "cell"))
        return h, (h, c)
    return step


def gru_clip(after):
    def step(p, x, h):
        r, u = (sigma(gate(p, k, x, h).clamp(-CLIP, CLIP)) for k in "ru")
        inner = r * (h @ p["Wg"]) if after else (r * h) @ p["Wg"]
        g = tanh((x @ p["Ug"] + inner + p["bg"]).clamp(-CLIP, CLIP))
        h = u * h + (1 - u) * g
        return h, (h,)
    return step


def gru_ba(p, x, h):
    xs, hs = (torch.cat([v @ p[w + k] for k in "ru"], -1) for v, w in ((x, "U"), (h, "W")))
    r, u = sigma(norm(xs, p, "x") + norm(hs, p, "h") + torch.cat([p["br"], p["bu"]])).chunk(2, -1)
    g = tanh(norm(x @ p["Ug"], p, "xg") + r * norm(h @ p["Wg"], p, "hg") + p["bg"])
    h = u * h + (1 - u) * g
    return h, (h,)


def mgu(p, x, h):
    f = sigma(gate(p, "f", x, h))
    h = (1 - f) * h + f * tanh(gate(p, "g", x, f * h))
    return h, (h,)


def janet(p, x, h):
    s = gate(p, "f", x, h)
    h = sigma(s) * h + (1 - sigma(s - 1)) * tanh(gate(p, "g", x, h))
    return h, (h,)


def mingru(p, x, h):
    u = sigma(x @ p["Uu"] + p["bu"])
    h = (1 - u) * h + u * (x @ p["Ug"] + p["bg"])
    return h, (h,)


def mingru_log(p, x, h):
    u = sigma(x @ p["Uu"] + p["bu"])
    a = x @ p["Ug"] + p["bg"]
    h = (1 - u) * h + u * torch.where(a >= 0, a + 0.5, sigma(a))
    return h, (h,)


def minlstm(p, x, h):
    f, i = (sigma(x @ p["U" + k] + p["b" + k]) for k in "fi")
    h = (f * h + i * (x @ p["Ug"] + p["bg"])) / (f + i)
    return h, (h,)


def indrnn(p, x, h):
    h = torch.relu(x @ p["U"] + p["b"] + p["v"] * h)
    return h, (h,)


def sru(p, x, _, c):
    f = sigma(x @ p["Uf"] + p["vf"] * c + p["bf"])
    r = sigma(x @ p["Ur"] + p["vr"] * c + p["br"])
    c = f * c + (1 - f) * (x @ p["U"])
    y = r * c + (1 - r) * (x @ p["Ures"] if "Ures" in p else x)
    return y, (y, c)


def sru_v1(p, x, _, c):
    f, r = (sigma(x @ p["U" + k] + p["b" + k]) for k in "fr")
    c = f * c + (1 - f) * (x @ p["U"])
    y = r * tanh(c) + (1 - r) * (x @ p["Ures"])
    return y, (y, c)


def qrnn(pool):
    def step(p, x, *s):
        c, before = s[-2:]
        z, f, o, i = (x @ p["U" + k] + before @ p["V" + k] + p["b" + k] if "U" + k in p else None
                      for k in "zfoi")
        f = sigma(f)
        c = f * c + (sigma(i) if pool == "ifo" else 1 - f) * tanh(z)
        y = c if pool == "f" else sigma(o) * c
        seen = torch.cat([x, before], -1)[:, :before.shape[-1]]
        return y, (c, seen) if pool == "f" else (y, c, seen)
    return step


# ---- Shapes --------------------------------------------------------------------------------------

def gates(names, rows=H, recurrent=True):
    shapes = {}
    for k in names:
        shapes |= {"U" + k: (I, H), "b" + k: (H,)}
        if recurrent:
            shapes["W" + k] = (rows, H)
    return shapes


def norms(**widths):
    return {g + k: (n,) for k, n in widths.items() for g in ("gamma_", "beta_")}


LN = gates("ifco") | norms(x=4 * H, h=4 * H, cell=H)
HASTE = {k: v for k, v in LN.items() if k not in ("beta_x", "beta_h")}
TF = {k: v for k, v in gates("ifco").items() if k[0] != "b"} | norms(i=H, f=H, c=H, o=H, cell=H)
QRNN = gates("zfo", recurrent=False) | {"V" + k: (I, H) for k in "zfo"}
QRNN_F = {k: v for k, v in QRNN.items() if k[1] != "o"}
QRNN_IFO = QRNN | gates("i", recurrent=False) | {"Vi": (I, H)}
QRNN_4 = QRNN | {"V" + k: ((WINDOW - 1) * I, H) for k in "zfo"}
GRU_BA = gates("rug") | norms(x=2 * H, h=2 * H, xg=H, hg=H)
SRU = {"U": (I, H), "Ures": (I, H), "vf": (H,), "vr": (H,)} | gates("fr", recurrent=False)
SRU_1 = {k: v for k, v in SRU.items() if k[0] != "v"}
PEEPHOLE = gates("ifco") | {"P" + k: (H,) for k in "ifo"}
CELLS = {  # name: step, parameters, widths of states
    "peephole": (lstm(peephole=True), PEEPHOLE, (H, H)),
    "coupled_f": (lstm(coupled="f"), gates("fco"), (H, H)),
    "coupled_i": (lstm(coupled="i"), gates("ico"), (H, H)),
    "clip": (lstm(clip=0.5), gates("ifco"), (H, H)),
    "proj": (None, gates("ifco", rows=P) | {"proj": (H, P)}, (P, H)),
    "ba": (lstm_norm("ba"), LN, (H, H)),
    "haste": (lstm_norm("haste"), HASTE, (H, H)),
    "tf_contrib": (lstm_norm("tf_contrib"), TF, (H, H)),
    "addons": (lstm_norm("addons"), LN, (H, H)),
    "lstm_clip": (lstm(peephole=True, preact=CLIP), PEEPHOLE, (H, H)),
    "rnn_clip": (rnn_clip, gates([""]), (H,)),
    "gru_clip": (gru_clip(after=False), gates("rug"), (H,)),
    "gru_after_clip": (gru_clip(after=True), gates("rug"), (H,)),
    "gru_ba": (gru_ba, GRU_BA, (H,)),
    "mgu": (mgu, gates("fg"), (H,)),
    "janet": (janet, gates("fg"), (H,)),
    "mingru": (mingru, gates("ug", recurrent=False), (H,)),
    "mingru_log": (mingru_log, gates("ug", recurrent=False), (H,)),
    "minlstm": (minlstm, gates("fig", recurrent=False), (H,)),
    "indrnn": (indrnn, {"U": (I, H), "b": (H,), "v": (H,)}, (H,)),
    "sru": (sru, SRU, (H, H)),
    "sru_v1": (sru_v1, SRU_1, (H, H)),
    "qrnn_fo": (qrnn("fo"), QRNN, (H, H, I)),
    "qrnn_f": (qrnn("f"), QRNN_F, (H, I)),
    "qrnn_ifo": (qrnn("ifo"), QRNN_IFO, (H, H, I)),
    "qrnn_4": (qrnn("fo"), QRNN_4, (H, H, (WINDOW - 1) * I)),
}
STATES = "hcp"


# ---- Running -------------------------------------------------------------------------------------

def run_proj(p, x, states):
    """torch.lstm with a projection: weight_ih, weight_hh, bias_ih, bias_hh, weight_hr."""
    flat = [torch.cat([p[w + k].T for k in "ifco"]) for w in "UW"]
    b = torch.cat([p["b" + k] for k in "ifco"])
    y, h, c = torch.lstm(x, tuple(s[None] for s in states),
                         flat + [b, torch.zeros_like(b), p["proj"].T], True, 1, 0.0, False, False,
                         False)
    return y, (h[0], c[0])


def run(cell, p, x, states):
    if cell == "proj":
        return run_proj(p, x, states)
    y = []
    for x_t in x:
        out, states = CELLS[cell][0](p, x_t, *states)
        y.append(out)
    return torch.stack(y), states


def evaluate(case):
    """Names -> tensors: outputs, final states, gradients."""
    _, shapes, widths = CELLS[case["cell"]]
    p = {k: make.draw(case, make.INIT, "c." + k, v, SCALE).requires_grad_()
         for k, v in sorted(shapes.items())}
    x = make.draw(case, make.USER, "x", (case["T"], B, I)).requires_grad_()
    states = [make.draw(case, make.USER, f"{STATES[k]}0", (B, w)).requires_grad_()
              for k, w in enumerate(widths)]
    y, last = run(case["cell"], p, x, states)
    out = {"Y": y} | {f"{STATES[k]}T": v for k, v in enumerate(last)}
    loss = (y * make.draw(case, make.USER, "gY", y.shape)).sum()
    for k, v in enumerate(last):
        loss = loss + (v * make.draw(case, make.USER, f"g{STATES[k]}", v.shape)).sum()
    loss.backward()
    for k, v in ({"x": x} | {f"{STATES[k]}0": s for k, s in enumerate(states)} | p).items():
        out["d" + k] = make.gradient(v)
    return {k: v.detach().numpy().reshape(-1) for k, v in out.items()}, (p, x, states)


# ---- ONNX Runtime --------------------------------------------------------------------------------

# Our gates in ONNX's order, and what the operator is told beside its width.
ONNX_CELLS = {
    "peephole": ("LSTM", "iofc", {}),
    "coupled_i": ("LSTM", "iofc", {"input_forget": 1}),
    "lstm_clip": ("LSTM", "iofc", {"clip": CLIP}),
    "rnn_clip": ("RNN", [""], {"clip": CLIP}),
    "gru_clip": ("GRU", "urg", {"clip": CLIP}),
    "gru_after_clip": ("GRU", "urg", {"clip": CLIP, "linear_before_reset": 1}),
}
ONNX = """
import json, sys
import numpy as np, onnx, onnxruntime
op, told, data = json.load(sys.stdin)
d = {k: np.array(v, np.float32) for k, v in data.items()}
names = ["X", "W", "R", "B", "", "h0", "c0", "P"][:8 if op == "LSTM" else 6]
node = onnx.helper.make_node(op, [n if n in d or not n else "" for n in names], ["Y"],
                             hidden_size=d["R"].shape[2], **told)
info = lambda n, a: onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, a)
graph = onnx.helper.make_graph([node], "g", [info(k, v.shape) for k, v in d.items()],
                               [info("Y", None)])
opset = [onnx.helper.make_opsetid("", 14)]
model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
run = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
print(json.dumps(run.run(["Y"], d)[0][:, 0].tolist()))
"""


def against_onnx(python, case, parts, y):
    """The f of a coupled cell is not read; ONNX's peepholes are i o f."""
    op, order, told = ONNX_CELLS[case["cell"]]
    p, x, states = parts
    zero = {"U": torch.zeros(I, H), "W": torch.zeros(H, H), "b": torch.zeros(H)}

    def get(w, k):
        return p.get(w + k, zero.get(w)).detach()

    d = {"X": x, "W": torch.cat([get("U", k).T for k in order])[None],
         "R": torch.cat([get("W", k).T for k in order])[None],
         "B": torch.cat([get("b", k) for k in order] + [torch.zeros(len(order) * H)])[None]}
    d |= {f"{STATES[k]}0": s[None] for k, s in enumerate(states)}
    if "Pi" in p:
        d["P"] = torch.cat([get("P", k) for k in "iof"])[None]
    text = json.dumps([op, told, {k: v.detach().tolist() for k, v in d.items()}])
    got = subprocess.run([python, "-c", ONNX], input=text, capture_output=True, text=True,
                         check=True)
    off = abs(torch.tensor(json.loads(got.stdout)).double().numpy().reshape(-1) - y).max()
    print(f"{case['cell']}: off onnxruntime by {off:.1e}")
    assert off < 1e-5


def main():
    lines = ["# Known answers for retrograd's cells, by tools/golden/cells.py; torch "
             f"{torch.__version__}, float64"]
    for cell in CELLS:
        for seed, T in ((1, 1), (2, 7)):
            case = {"cell": cell, "seed": seed, "T": T, "real": torch.float64}
            result, parts = evaluate(case)
            if len(sys.argv) > 2 and T > 1 and cell in ONNX_CELLS:
                against_onnx(sys.argv[2], case, parts, result["Y"])
            lines.append(f"case cell={cell} seed={seed} T={T} B={B} I={I} H={H}")
            lines += [" ".join([name] + [f"{n:.16g}" for n in make.digest(case, name, value)[:3]])
                      for name, value in result.items()]
    make.save(lines, sys.argv[1], "cells.txt")


if __name__ == "__main__":
    main()
