#!/usr/bin/env python3
"""Known answers for connectionist temporal classification, from PyTorch in double precision.

    python3 tools/golden/ctc.py tests/layers/golden

Logits, labels and cotangents are drawn by name as in make.py; a case holds the loss of every row
and the gradient of the logits, each as its norm and two products with drawn vectors. The last line
is FNV-1a-64 of all before it."""
import sys

import torch

import make

T, B, V, U = 12, 5, 6, 4
STEPS, COUNT = (12, 9, 7, 3, 2), (4, 4, 0, 1, 3)  # the last row cannot be said
CASES = (dict(seed=1, blank=0, scale=1), dict(seed=2, blank=0, scale=10),
         dict(seed=3, blank=3, scale=3), dict(seed=4, blank=5, scale=0))


def labels(case):
    """Any classes but the blank; the third label is the second again."""
    u = make.uniform(case["seed"], make.USER, "y", U * B).reshape(U, B)
    y = (u * (V - 1)).astype(int)
    y[2] = y[1]
    return torch.tensor(y + (y >= case["blank"]))


def answers(case):
    z = (case["scale"] * make.draw(case, make.USER, "z", (T, B, V))).requires_grad_()
    each = torch.nn.functional.ctc_loss(
        torch.log_softmax(z, -1), labels(case).T, torch.tensor(STEPS), torch.tensor(COUNT),
        blank=case["blank"], reduction="none", zero_infinity=True)
    (each * make.draw(case, make.USER, "gl", (B,))).sum().backward()
    return {"l": each.detach().numpy(), "dz": z.grad.numpy().reshape(-1)}


def main():
    lines = ["# Known answers for connectionist temporal classification, by tools/golden/ctc.py; "
             f"torch {torch.__version__}, float64"]
    for case in CASES:
        lines.append("case " + " ".join(f"{k}={case[k]}" for k in ("seed", "blank", "scale")))
        case["real"] = torch.float64
        for name, value in answers(case).items():
            digits = make.digest(case, name, value)[:3]
            lines.append(" ".join([name] + [f"{n:.16g}" for n in digits]))
    make.save(lines, sys.argv[1], "ctc.txt")


if __name__ == "__main__":
    main()
