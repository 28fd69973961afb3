#!/usr/bin/env python3
"""Known answers for rows of unequal length: PyTorch's packed sequences (two layers, both ways) and
Keras's masks (with holes, forwards and backwards), in double precision.

    KERAS_BACKEND=torch python3 tools/golden/sequences.py tests/layers/golden

Data are drawn by name as in make.py; a case holds, per output, final state and gradient, its norm
and two products with drawn vectors. The last line is FNV-1a-64 of all before it."""
import sys

import keras
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import make

T, B, I, H = 6, 4, 3, 4
LENGTHS = (4, 6, 1, 3)  # PyTorch takes no empty row
HOLES = ((1, 1, 0, 1), (1, 1, 0, 0), (0, 1, 0, 1), (1, 1, 0, 1), (0, 1, 0, 0), (1, 1, 0, 0))
GATES = {"rnn_tanh": [""], "gru_after": list("rug"), "gru_before": list("rug"),
         "lstm": list("ifco")}
SCALE = 0.7


def matmul(a, b):
    """Keras 3.15 multiplies doubles in single precision."""
    return torch.matmul(keras.ops.convert_to_tensor(a), keras.ops.convert_to_tensor(b))


keras.src.ops.matmul = matmul


def leaf(case, name, shape, domain=make.INIT):
    a = SCALE if domain == make.INIT else 1.0
    return make.draw(case, domain, name, shape, a).requires_grad_()


def declare(case, group, width):
    """Parameters of one cell by our names; PyTorch and Keras may have a second bias."""
    p = {}
    for g in GATES[case["kind"]]:
        p |= {f"{group}.U{g}": (width, H), f"{group}.W{g}": (H, H), f"{group}.b{g}": (H,)}
        if case["double"]:
            p[f"{group}.bh{g}"] = (H,)
    return {k: leaf(case, k, v) for k, v in p.items()}


def finish(case, out, last, leaves):
    """Seeded by drawn cotangents on the outputs and on every final state."""
    loss = (out * make.draw(case, make.USER, "gY", out.shape)).sum()
    for k, v in enumerate(last):
        loss = loss + (v * make.draw(case, make.USER, f"g{k}", v.shape)).sum()
    loss.backward()
    names = {"Y": out} | {f"s{k}": v for k, v in enumerate(last)}
    names |= {"d" + k: make.gradient(v) for k, v in leaves.items()}
    return {k: v.detach().numpy().reshape(-1) for k, v in names.items()}


# ---- PyTorch -------------------------------------------------------------------------------------

def packed(case):
    """nn.LSTM and others over a packed sequence; states in order l0 fwd, l0 bwd, l1 fwd, l1 bwd."""
    kinds = {"lstm": torch.nn.LSTM, "gru_after": torch.nn.GRU, "rnn_tanh": torch.nn.RNN}
    module = kinds[case["kind"]](I, H, 2, bidirectional=True).double()
    p, gates, flat = {}, GATES[case["kind"]], []
    for l in range(2):
        for d in "fb":
            g = f"l{l}{d}"
            p |= declare(case, g, I if l == 0 else 2 * H)
            flat += [torch.cat([p[f"{g}.{w}{k}"].T for k in gates]) for w in "UW"]
            flat += [torch.cat([p[f"{g}.{b}{k}"] for k in gates]) for b in ("b", "bh")]
    names = [n for n, _ in module.named_parameters()]
    x = leaf(case, "x", (T, B, I), make.USER)
    data = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False)
    y, last = torch.func.functional_call(module, dict(zip(names, flat)), (data,))
    y, _ = pad_packed_sequence(y, total_length=T)
    last = last if case["kind"] == "lstm" else (last,)
    states = [s[k] for k in range(4) for s in last]
    return finish(case, y, states, {"x": x} | p)


# ---- Keras ---------------------------------------------------------------------------------------

def stacked(case, p, letter, order):
    return torch.cat([p[f"c.{letter}{k}"] for k in order], -1)


def masked(case):
    """keras.layers.LSTM and others, batch first, under a mask that is no length."""
    kind = case["kind"]
    common = {"return_sequences": True, "return_state": True, "dtype": "float64",
              "go_backwards": bool(case["backwards"]), "zero_output_for_mask": not case["hold"]}
    layer = (keras.layers.LSTM(H, **common) if kind == "lstm" else
             keras.layers.SimpleRNN(H, **common) if kind == "rnn_tanh" else
             keras.layers.GRU(H, reset_after=kind == "gru_after", **common))
    layer.build((B, T, I))
    p = declare(case, "c", I)
    order = {"lstm": "ifco", "rnn_tanh": [""]}.get(kind, "urg")  # Keras: z r h
    bias = [stacked(case, p, b, order) for b in (("b", "bh") if case["double"] else ("b",))]
    values = [stacked(case, p, "U", order), stacked(case, p, "W", order),
              torch.stack(bias) if case["double"] else bias[0]]
    x = leaf(case, "x", (T, B, I), make.USER)
    mask = torch.tensor(HOLES, dtype=torch.bool).T
    where = keras.StatelessScope(state_mapping=list(zip(layer.trainable_variables, values)))
    with where:
        y, *last = layer(x.transpose(0, 1), mask=mask)
    return finish(case, y.transpose(0, 1), last, {"x": x} | p)


def cases():
    for seed, kind in enumerate(("rnn_tanh", "gru_after", "lstm")):
        yield packed, {"of": "torch", "kind": kind, "seed": seed + 1, "double": 1, "hold": 0,
                       "backwards": 0}
    for seed, (kind, hold, backwards) in enumerate((
            ("rnn_tanh", 1, 0), ("gru_after", 1, 0), ("gru_before", 1, 0), ("lstm", 1, 0),
            ("lstm", 0, 0), ("lstm", 1, 1), ("gru_after", 0, 1))):
        yield masked, {"of": "keras", "kind": kind, "seed": seed + 11, "hold": hold,
                       "double": int(kind == "gru_after"), "backwards": backwards}


def main():
    lines = ["# Known answers for rows of unequal length, by tools/golden/sequences.py; torch "
             f"{torch.__version__}, keras {keras.__version__}, float64"]
    for run, case in cases():
        case["real"] = torch.float64
        lines.append("case " + " ".join(f"{k}={case[k]}" for k in (
            "of", "kind", "seed", "double", "hold", "backwards")))
        for name, value in run(case).items():
            digits = make.digest(case, name, value)[:3]
            lines.append(" ".join([name] + [f"{n:.16g}" for n in digits]))
    make.save(lines, sys.argv[1], "sequences.txt")


if __name__ == "__main__":
    main()
