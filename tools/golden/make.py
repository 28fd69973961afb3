#!/usr/bin/env python3
"""Known answers for the recurrent cells, from PyTorch in double precision.

    python3 tools/golden/make.py tests/layers/golden

Writes one file per kind of cell. Weights, inputs, initial states and cotangents are not stored:
both sides draw them from Philox4x32-10 by name (docs/MATH.md 18), this one in numpy. A case
holds, per output, final state and gradient, its norm and four products with vectors drawn the
same way; small final states in full too. Layers are PyTorch's own where it has them; the GRU
that resets before the product is composed here from its equations. The last line of a file is
FNV-1a-64 of all before it.
"""
import itertools
import os
import sys

import numpy as np
import torch

PRODUCTS = 4
FULL = 12  # final states of at most so many elements are written in full
INIT, USER = 1, 8  # domains
GATES = {"rnn_tanh": [""], "rnn_relu": [""], "lstm": ["i", "f", "c", "o"],
         "gru_after": ["r", "u", "g"], "gru_before": ["r", "u", "g"]}
INPUT = {1: 2, 4: 3, 17: 5, 64: 8}  # input width by state width


# ---- Random numbers ---------------------------------------------------------------------------

def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


def philox(block, c1, c2, c3, seed):
    """Words w0 .. w3 of the blocks in the array `block`."""
    c = [block.astype(np.uint64)] + [np.full(block.shape, v, np.uint64) for v in (c1, c2, c3)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> half) ^ c[1] ^ np.uint64(k0), b & low, (a >> half) ^ c[3] ^ np.uint64(k1),
             a & low]
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c


def uniform(seed, domain, name, n):
    """Elements 0 .. n-1 of a stream, in [0, 1)."""
    tail = fnv1a(name.encode())
    if domain != INIT:
        tail &= 0xFFFFFFFF  # run number 0
    w = philox(np.arange((n + 1) // 2), domain << 24, tail & 0xFFFFFFFF, tail >> 32, seed)
    u = [((w[i] >> np.uint64(5)).astype(np.float64) * 2.0**26
          + (w[i + 1] >> np.uint64(6)).astype(np.float64)) * 2.0**-53 for i in (0, 2)]
    return np.stack(u, axis=1).reshape(-1)[:n]


def draw(case, domain, name, shape, a=1.0):
    n = int(np.prod(shape))
    x = a * (2 * uniform(case["seed"], domain, name, n) - 1)
    if case.get("shake"):
        x *= 1 + 2.0**-23 * (2 * uniform(case["shake"], domain, name, n) - 1)
    return torch.tensor(x.reshape(shape), dtype=case["real"])


assert [int(w[0]) for w in philox(np.array([0x243F6A88]), 0x85A308D3, 0x13198A2E, 0x03707344,
                                  0x299F31D0A4093822)] == \
    [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]
assert fnv1a(b"enc.Ur") == 0x76E5985F61A362E4


# ---- The cells, one row or a batch, all layers -------------------------------------------------

def weights(case):
    """Every parameter by our name, as a leaf: l0.Ui [I,H], l0.Wi [H,H], l0.bi, l0.bhi [H]."""
    p, H, bias = {}, case["H"], case["bias"]
    for l in range(case["L"]):
        for gate in GATES[case["kind"]]:
            tensors = {"U": (case["I"] if l == 0 else H, H), "W": (H, H)}
            if bias != "none":
                tensors["b"] = (H,)
            if bias == "double" or (bias == "split" and gate == "g"):
                tensors["bh"] = (H,)
            for letter, shape in tensors.items():
                name = f"l{l}.{letter}{gate}"
                p[name] = draw(case, INIT, name, shape, 1 / np.sqrt(H)).requires_grad_()
    return p


def torch_weights(case, p):
    """PyTorch's flat list: per layer weight_ih, weight_hh, bias_ih, bias_hh, gates stacked."""
    flat, zero = [], torch.zeros(case["H"], dtype=case["real"])
    for l in range(case["L"]):
        gates = GATES[case["kind"]]
        flat.append(torch.cat([p[f"l{l}.U{g}"].T for g in gates]))
        flat.append(torch.cat([p[f"l{l}.W{g}"].T for g in gates]))
        if case["bias"] != "none":
            flat.append(torch.cat([p[f"l{l}.b{g}"] for g in gates]))
            flat.append(torch.cat([p.get(f"l{l}.bh{g}", zero) for g in gates]))
    return flat


def run_torch(case, p, x, states):
    """nn.RNN, nn.LSTM, nn.GRU: x [T,B,I], states [L,B,H] each -> y [T,B,H], states."""
    has_bias, flat = case["bias"] != "none", torch_weights(case, p)
    args = (has_bias, case["L"], 0.0, False, False, False)
    if case["kind"] == "lstm":
        y, h, c = torch.lstm(x, tuple(states), flat, *args)
        return y, (h, c)
    run = {"rnn_tanh": torch.rnn_tanh, "rnn_relu": torch.rnn_relu, "gru_after": torch.gru}
    y, h = run[case["kind"]](x, states[0], flat, *args)
    return y, (h,)


def run_gru_before(case, p, x, states):
    """h' = u*h + (1-u)*tanh(x.Ug + (r*h).Wg + bg), layer by layer."""
    last = []
    for l in range(case["L"]):
        h, y = states[0][l], []
        w = {letter: [p.get(f"l{l}.{letter}{g}", 0) for g in "rug"]
             for letter in ("U", "W", "b", "bh")}

        def gate(k, a, b):
            return a @ w["U"][k] + b @ w["W"][k] + w["b"][k] + w["bh"][k]

        for t in range(x.shape[0]):
            r, u = torch.sigmoid(gate(0, x[t], h)), torch.sigmoid(gate(1, x[t], h))
            h = u * h + (1 - u) * torch.tanh(gate(2, x[t], r * h))
            y.append(h)
        x = torch.stack(y)
        last.append(h)
    return x, (torch.stack(last),)


def run(case, p, x, states):
    one = run_gru_before if case["kind"] == "gru_before" else run_torch
    if not case["ragged"]:
        y, last = one(case, p, x.flip(0) if case["reverse"] else x, states)
        return (y.flip(0) if case["reverse"] else y), last
    ys, lasts = [], []
    for b in range(case["B"]):  # each row alone, over its own length
        n, s = case["lengths"][b], [v[:, b:b + 1].contiguous() for v in states]
        row = x[:n, b:b + 1]
        y, last = one(case, p, row.flip(0) if case["reverse"] else row, s) if n else \
            (x.new_zeros(0, 1, case["H"]), s)
        y = y.flip(0) if case["reverse"] else y
        ys.append(torch.cat([y, x.new_zeros(case["T"] - n, 1, case["H"])]))
        lasts.append(last)
    return torch.cat(ys, 1), tuple(torch.cat(v, 1) for v in zip(*lasts))


# ---- Cases ------------------------------------------------------------------------------------

def lengths(case):
    u = uniform(case["seed"], USER, "lengths", case["B"])
    return [int(v) for v in np.floor(u * (case["T"] + 1))]


def cases(kind):
    biases = ["double", "none", "single"] + (["split"] if kind == "gru_after" else [])
    seeds = ["h", "last", "all"] + (["c"] if kind == "lstm" else [])
    n = 0
    for T, H, B, variant in itertools.product([1, 2, 7, 50], [1, 4, 17, 64], [1, 3], [0, 1]):
        L = 1 + n % 3 if T * H < 50 * 64 else 1 + variant
        case = {"kind": kind, "T": T, "B": B, "I": INPUT[H], "H": H, "L": L,
                "bias": biases[n // 3 % len(biases)],
                "cotangent": "none" if n == 7 else seeds[(n + n // 8) % len(seeds)],
                "reverse": int(n % 5 == 4), "ragged": int(n % 7 == 3 or (B == 3 and n % 11 == 5))}
        n += 1
        yield case


def evaluate(case):
    """Names -> tensors: Y, final states, and the gradients, gates side by side."""
    L, B, H = case["L"], case["B"], case["H"]
    names = ["h", "c"] if case["kind"] == "lstm" else ["h"]
    p = weights(case)
    x = draw(case, USER, "x", (case["T"], B, case["I"])).requires_grad_()
    states = [draw(case, USER, f"{s}0", (L, B, H)).requires_grad_() for s in names]
    y, last = run(case, p, x, states)
    out = {"Y": y, **{f"{s}T": v for s, v in zip(names, last)}}
    seeded = {"h": ["Y"], "last": ["hT"], "c": ["cT"], "all": ["Y"] + [f"{s}T" for s in names],
              "none": []}[case["cotangent"]]
    loss = sum((out[k] * draw(case, USER, f"g{k}", out[k].shape)).sum() for k in seeded)
    leaves = {"x": x, **{f"{s}0": v for s, v in zip(names, states)}, **p}
    if seeded and loss.requires_grad:  # not where every length is 0
        loss.backward()
    for l in range(L):
        for letter in ("U", "W", "b", "bh"):
            parts = [f"l{l}.{letter}{g}" for g in GATES[case["kind"]] if f"l{l}.{letter}{g}" in p]
            if parts:
                out[f"d{l}.{letter}"] = torch.stack([gradient(leaves[k]) for k in parts])
    for k in ["x"] + [f"{s}0" for s in names]:
        out[f"d{k}"] = gradient(leaves[k])
    return {k: v.detach().numpy().reshape(-1).astype(np.float64) for k, v in out.items()}


def gradient(leaf):
    return leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)


def forms_differ(case):
    """By how much the two GRU forms differ on this case."""
    y = [evaluate({**case, "kind": k})["hT"] for k in ("gru_before", "gru_after")]
    return np.abs(y[0] - y[1]).max()


def sensitivity(case, result):
    """How far single precision, or single bits of all data, move a tensor relative to its norm."""
    worst = 0.0
    for change in ({"real": torch.float32}, {"shake": 1}, {"shake": 2}):
        moved = evaluate({**case, **change})
        for name, value in result.items():
            pairs = zip(digest(case, name, value), digest(case, name, moved[name]))
            worst = max(worst, max(abs(a - b) for a, b in pairs) / (np.linalg.norm(value) or 1))
    return worst


def useful(case, result):
    """Well conditioned, so that a tight bound means something; and not trivial."""
    if case["ragged"] and max(case["lengths"]) == 0 or sensitivity(case, result) > 1e-6:
        return False
    if case["kind"].startswith("gru") and case["bias"] != "split" and \
            (case["H"] > 1 or case["bias"] == "double"):  # else both forms are one function
        return forms_differ(case) > 0.01
    return np.linalg.norm(result["hT"]) > 0.01  # a relu unit may be dead


def settle(case, seed):
    """The first seed from here on that makes a case worth keeping."""
    while True:
        case["seed"], case["real"] = seed, torch.float64
        case["lengths"] = lengths(case)
        result = evaluate(case)
        if useful(case, result):
            return result
        seed += 1000


def digest(case, name, value):
    """Norm, and products with drawn vectors."""
    v = [2 * uniform(case["seed"], USER, f"v{k}.{name}", value.size) - 1 for k in range(PRODUCTS)]
    return [float(np.linalg.norm(value))] + [float(np.dot(value, k)) for k in v]


def save(lines, folder, name):
    """A file of these lines; its last one is FNV-1a-64 of all before it."""
    text = "\n".join(lines) + "\n"
    with open(os.path.join(folder, name), "w", encoding="ascii") as f:
        f.write(text + f"sum {fnv1a(text.encode()):016x}\n")


def write(kind, folder):
    lines = ["# Known answers for retrograd's cells, by tools/golden/make.py; torch "
             f"{torch.__version__}, numpy {np.__version__}, float64"]
    for number, case in enumerate(cases(kind)):
        result = settle(case, number + 1)
        lines.append("case " + " ".join(f"{k}={case[k]}" for k in (
            "kind", "seed", "T", "B", "I", "H", "L", "bias", "cotangent", "reverse", "ragged")))
        for name, value in result.items():
            lines.append(" ".join([name] + [repr(n) for n in digest(case, name, value)]))
            if name.endswith("T") and value.size <= FULL:
                lines.append(" ".join([f"{name}="] + [repr(float(v)) for v in value]))
    save(lines, folder, f"{kind}.txt")
    return sum(line.startswith("case") for line in lines)


def main():
    torch.set_num_threads(1)
    total = sum(write(kind, sys.argv[1]) for kind in GATES)
    print(f"{total} cases")


if __name__ == "__main__":
    main()
