#!/usr/bin/env python3
"""Write tests/optim/golden.h: where PyTorch's optimizers stand after 1, 2, 10, 100 steps, in f64.

The problem is the same on both sides: L(w) = sum(a*w*w)/2 + sum(c_t*w), a[i] = (i+1)/4,
c_t[i] = ((7t + 13i) mod 11 - 5)/5, w_0[i] = (i-3)/2, 7 weights.
Run with a Python that has torch:  python3 tools/golden/optim.py > tests/optim/golden.h
"""
import torch

N = 7
STOPS = (1, 2, 10, 100)
T = torch.optim
#     name in C, fields of rg_optim_opts, how PyTorch is told, per-step rate, clipping
CASES = [
    ("sgd", ".kind = RG_SGD, .lr = 0.05", lambda p: T.SGD(p, lr=0.05), None, None),
    ("sgd_decay", ".kind = RG_SGD, .lr = 0.05, .weight_decay = 0.1",
     lambda p: T.SGD(p, lr=0.05, weight_decay=0.1), None, None),
    ("momentum", ".kind = RG_MOMENTUM, .lr = 0.05",
     lambda p: T.SGD(p, lr=0.05, momentum=0.9), None, None),
    ("nesterov", ".kind = RG_NESTEROV, .lr = 0.05, .momentum = 0.8, .weight_decay = 0.02",
     lambda p: T.SGD(p, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.02), None, None),
    ("adagrad", ".kind = RG_ADAGRAD", lambda p: T.Adagrad(p), None, None),
    ("adadelta", ".kind = RG_ADADELTA", lambda p: T.Adadelta(p), None, None),
    ("rmsprop", ".kind = RG_RMSPROP", lambda p: T.RMSprop(p), None, None),
    ("rmsprop_centered",
     ".kind = RG_RMSPROP, .lr = 0.02, .centered = true, .momentum = 0.5, .rho = 0.95",
     lambda p: T.RMSprop(p, lr=0.02, centered=True, momentum=0.5, alpha=0.95), None, None),
    ("adam", ".kind = RG_ADAM", lambda p: T.Adam(p), None, None),
    ("adam_amsgrad",
     ".kind = RG_ADAM, .lr = 0.03, .amsgrad = true, .weight_decay = 0.05, .beta1 = 0.8, "
     ".beta2 = 0.9",
     lambda p: T.Adam(p, lr=0.03, amsgrad=True, weight_decay=0.05, betas=(0.8, 0.9)), None, None),
    ("adamw", ".kind = RG_ADAMW, .lr = 0.02", lambda p: T.AdamW(p, lr=0.02), None, None),
    ("clip_norm", ".kind = RG_SGD, .lr = 0.1, .clip_norm = 0.75",
     lambda p: T.SGD(p, lr=0.1), None, ("norm", 0.75)),
    ("clip_value", ".kind = RG_SGD, .lr = 0.1, .clip_value = 0.25",
     lambda p: T.SGD(p, lr=0.1), None, ("value", 0.25)),
    ("cosine", ".kind = RG_SGD, .lr = 0.1, "
     ".schedule = { .kind = RG_COSINE, .total = 60, .floor = 0.1 }",
     lambda p: T.SGD(p, lr=0.1),
     lambda o: T.lr_scheduler.LambdaLR(o, lambda k: 0.1 + 0.45 * (1 + torch.cos(
         torch.tensor(torch.pi * min(k, 60) / 60, dtype=torch.float64)).item())), None),
    ("step_decay",
     ".kind = RG_SGD, .lr = 0.1, .schedule = { .kind = RG_STEP_DECAY, .every = 7, "
     ".factor = 0.5 }",
     lambda p: T.SGD(p, lr=0.1), lambda o: T.lr_scheduler.StepLR(o, 7, 0.5), None),
    ("warmup", ".kind = RG_SGD, .lr = 0.1, .schedule = { .warmup = 20 }",
     lambda p: T.SGD(p, lr=0.1),
     lambda o: T.lr_scheduler.LambdaLR(o, lambda k: min(1, (k + 1) / 20)), None),
]


def run(make, schedule, clip):
    w = torch.nn.Parameter(torch.tensor([(i - 3) / 2 for i in range(N)], dtype=torch.float64))
    a = torch.tensor([(i + 1) / 4 for i in range(N)], dtype=torch.float64)
    opt = make([w])
    rate = schedule(opt) if schedule else None
    out = []
    for t in range(max(STOPS)):
        c = torch.tensor([((7 * t + 13 * i) % 11 - 5) / 5 for i in range(N)], dtype=torch.float64)
        opt.zero_grad()
        ((a * w * w).sum() / 2 + (c * w).sum()).backward()
        if clip and clip[0] == "norm":       # no effect below the threshold, exactly c/n above
            n = w.grad.norm()
            if n > clip[1]:
                w.grad.mul_(clip[1] / n)
        elif clip:
            w.grad.clamp_(-clip[1], clip[1])
        opt.step()
        if rate:
            rate.step()
        if t + 1 in STOPS:
            out.append(w.detach().tolist())
    return out


print("/* tests/optim/golden.h -- written by tools/golden/optim.py with PyTorch "
      f"{torch.__version__}. */")
print("static const struct golden {\n    const char *name;\n    rg_optim_opts opts;")
print("    double w[4][7];  /* after 1, 2, 10, 100 steps */\n} golden[] = {")
for name, fields, make, schedule, clip in CASES:
    print(f'    {{ "{name}", {{ {fields} }}, {{')
    for row in run(make, schedule, clip):
        print("        { " + ", ".join(f"{x:.17g}" for x in row) + " },")
    print("    } },")
print("};")
