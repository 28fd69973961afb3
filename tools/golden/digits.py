#!/usr/bin/env python3
"""Write tests/train/golden_digits.h: the losses of PyTorch's first 20 updates on digits, in f64.

    python3 tools/golden/digits.py > tests/train/golden_digits.h

The setting is E7 of docs/EXPERIMENTS.md by rows: T = 8, I = 8, one layer of 64 units, the last
output through nn.Linear to 10 classes, cross-entropy, batches of 64, Adam of rate 1e-3. Images have
64 pixels of 0 .. 16, divided by 16, as the digits; they are drawn: each class has an image of its
own, and another is made of three parts of that and one of noise. tests/train/trajectory.c draws the
same images and the same weights, U(-1/8, 1/8), by name, and takes image after image.
"""
import numpy as np
import torch

import make

SEED, UPDATES, B, T, I, H, O = 7, 20, 64, 8, 8, 64, 10
SCALE = 0.125  # 1/sqrt(H)
CELLS = {"rnn": (torch.nn.RNN, [""]), "gru": (torch.nn.GRU, list("rug")),
         "lstm": (torch.nn.LSTM, list("ifco"))}


def images():
    """Images [n,T,I] and their classes [n]."""
    n = UPDATES * B
    label = np.floor(O * make.uniform(SEED, make.USER, "label", n)).astype(np.int64)
    own = np.floor(17 * make.uniform(SEED, make.USER, "class", O * T * I)).reshape(O, T, I)
    noise = np.floor(17 * make.uniform(SEED, make.USER, "noise", n * T * I)).reshape(n, T, I)
    return torch.tensor(np.floor((3 * own[label] + noise) / 4) / 16), torch.tensor(label)


def drawn(name, *shape):
    case = {"seed": SEED, "real": torch.float64}
    return make.draw(case, make.INIT, name, shape, SCALE)


def model(kind):
    """Cell and dense layer with our weights: PyTorch stacks the gates, and transposes."""
    layer, gates = CELLS[kind]
    cell, out = layer(I, H).double(), torch.nn.Linear(H, O).double()
    with torch.no_grad():
        cell.weight_ih_l0.copy_(torch.cat([drawn(f"rnn.U{g}", I, H).T for g in gates]))
        cell.weight_hh_l0.copy_(torch.cat([drawn(f"rnn.W{g}", H, H).T for g in gates]))
        cell.bias_ih_l0.copy_(torch.cat([drawn(f"rnn.b{g}", H) for g in gates]))
        cell.bias_hh_l0.copy_(torch.cat([drawn(f"rnn.bh{g}", H) for g in gates]))
        out.weight.copy_(drawn("out.W", H, O).T)
        out.bias.copy_(drawn("out.b", O))
    return cell, out


def losses(kind):
    cell, out = model(kind)
    optim = torch.optim.Adam([*cell.parameters(), *out.parameters()], lr=1e-3)
    x, y = images()
    for k in range(0, UPDATES * B, B):
        optim.zero_grad()
        h, _ = cell(x[k:k + B].transpose(0, 1))
        loss = torch.nn.functional.cross_entropy(out(h[-1]), y[k:k + B])
        loss.backward()
        optim.step()
        yield loss.item()


def main():
    torch.set_num_threads(1)
    print("/* tests/train/golden_digits.h -- written by tools/golden/digits.py with PyTorch "
          f"{torch.__version__}. */")
    print("static const struct golden {\n    const char *name;\n    double loss[20];")
    print("} golden[] = {")
    for kind in CELLS:
        print(f'    {{ "{kind}", {{')
        for loss in losses(kind):
            print(f"        {loss:.17g},")
        print("    } },")
    print("};")


if __name__ == "__main__":
    main()
