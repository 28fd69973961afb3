#!/usr/bin/env python3
"""torch_worker.py [--eager]: PyTorch's nn.LSTM, nn.GRU, nn.RNN; or the same cells as one writes
them by hand, a loop over time in eager mode. Talks as common.py says."""
import sys

import common

EAGER = "--eager" in sys.argv[1:]
if "--version" in sys.argv[1:]:
    import torch
    print(("torch-eager-" if EAGER else "torch-") + torch.__version__)
    sys.exit(0)

import numpy  # noqa: E402
import torch  # noqa: E402


def module(cell, I, H):
    if cell == "gru":
        raise LookupError("PyTorch's GRU resets after the product only")
    net = {"lstm": torch.nn.LSTM, "gru-after": torch.nn.GRU, "rnn": torch.nn.RNN}[cell](I, H)
    U, W = common.weights(cell, I, H)
    with torch.no_grad():
        net.weight_ih_l0.copy_(torch.from_numpy(numpy.concatenate(U, 1).T.copy()))
        net.weight_hh_l0.copy_(torch.from_numpy(numpy.concatenate(W, 1).T.copy()))
        net.bias_ih_l0.zero_()
        net.bias_hh_l0.zero_()
    return (lambda x: net(x)[0]), list(net.parameters())


def by_hand(cell, I, H):
    U, W = (torch.nn.Parameter(torch.from_numpy(numpy.concatenate(part, 1)))
            for part in common.weights(cell, I, H))
    b = torch.nn.Parameter(torch.zeros(U.shape[1]))

    def lstm(x, s):
        i, f, g, o = (x @ U + s[0] @ W + b).chunk(4, 1)
        c = torch.sigmoid(f) * s[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def gru(x, s):
        h, = s
        r, u = torch.sigmoid(x @ U[:, :2 * H] + h @ W[:, :2 * H] + b[:2 * H]).chunk(2, 1)
        g = torch.tanh(x @ U[:, 2 * H:] + (r * h) @ W[:, 2 * H:] + b[2 * H:])
        return (u * h + (1 - u) * g,)

    def gru_after(x, s):
        h, = s
        xu, hw = x @ U + b, h @ W
        r, u = torch.sigmoid(xu[:, :2 * H] + hw[:, :2 * H]).chunk(2, 1)
        g = torch.tanh(xu[:, 2 * H:] + r * hw[:, 2 * H:])
        return (u * h + (1 - u) * g,)

    def rnn(x, s):
        return (torch.tanh(x @ U + s[0] @ W + b),)

    step = {"lstm": lstm, "gru": gru, "gru-after": gru_after, "rnn": rnn}[cell]

    def run(x):
        s = (torch.zeros(x.shape[1], H),) * (2 if cell == "lstm" else 1)
        out = []
        for t in range(x.shape[0]):
            s = step(x[t], s)
            out.append(s[0])
        return torch.stack(out)

    return run, [U, W, b]


def prepare(what, cell, T, B, I, H, threads):
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    net, parameters = (by_hand if EAGER else module)(cell, I, H)
    x = torch.from_numpy(common.inputs(T, B, I)).requires_grad_(what == "train")

    def train():
        for p in (*parameters, x):
            p.grad = None
        loss = net(x).square().mean()
        loss.backward()
        return loss

    def forward():
        with torch.inference_mode():
            return net(x)

    loss = train() if what == "train" else forward().square().mean()
    return loss.item(), train if what == "train" else forward


common.serve(prepare)
