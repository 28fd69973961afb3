#!/usr/bin/env python3
"""Writes tests/io/golden/torch.safetensors with PyTorch's own modules and safetensors' own writer.

Run once, by hand, where both are installed; the file is checked in and tests/io/torch.c reads it:

    python3 tools/golden_safetensors.py tests/io/golden

Element i of the k-th array, in order of names, is k + i/64, exact in every width.
"""
import sys

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
model = torch.nn.ModuleDict({
    "embed": torch.nn.Embedding(7, 3),
    "rnn": torch.nn.LSTM(3, 4, num_layers=2),
    "gru": torch.nn.GRU(3, 4),
    "plain": torch.nn.RNN(3, 4, bias=False),
    "out": torch.nn.Linear(4, 5),
})
arrays = dict(sorted(model.state_dict().items()))
arrays["half"] = torch.zeros(6, dtype=torch.float16)
arrays["brain"] = torch.zeros(2, 3, dtype=torch.bfloat16)
arrays["double"] = torch.zeros(5, dtype=torch.float64)
arrays["count"] = torch.zeros((), dtype=torch.int64)
for k, name in enumerate(sorted(arrays)):
    t = arrays[name]
    unit = 1 if t.dtype == torch.int64 else 64
    values = k + torch.arange(t.numel(), dtype=torch.float64) / unit
    arrays[name] = values.reshape(t.shape).to(t.dtype)
arrays["half"][:] = torch.tensor([1.5, -2.0, 6e-8, 65504.0, float("inf"), -0.0])
arrays["brain"][:] = torch.tensor([[1.5, -2.0, 1e-40], [3e38, float("-inf"), -0.0]])
save_file(arrays, sys.argv[1] + "/torch.safetensors",
          metadata={"format": "pt", "torch": torch.__version__})
print(sorted(arrays))
