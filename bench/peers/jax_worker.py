#!/usr/bin/env python3
"""jax_worker.py: the cells as a JAX scan, jitted. JAX heeds no thread setting, so the process is
pinned to as many cores before it is imported: `open` with another number of threads is refused.
Talks as common.py says."""
import os
import sys

import common

if "--version" in sys.argv[1:]:
    import jax
    print("jax-" + jax.__version__)
    sys.exit(0)
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-THREADS:])
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy  # noqa: E402


def step(cell, H):
    def lstm(p, s, x):
        i, f, g, o = jnp.split(x @ p[0] + s[0] @ p[1] + p[2], 4, 1)
        c = jax.nn.sigmoid(f) * s[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(p, s, x):
        U, W, b = p
        r, u = jnp.split(jax.nn.sigmoid(x @ U[:, :2 * H] + s[0] @ W[:, :2 * H] + b[:2 * H]), 2, 1)
        g = jnp.tanh(x @ U[:, 2 * H:] + (r * s[0]) @ W[:, 2 * H:] + b[2 * H:])
        h = u * s[0] + (1 - u) * g
        return (h,), h

    def gru_after(p, s, x):
        xu, hw = x @ p[0] + p[2], s[0] @ p[1]
        r, u = jnp.split(jax.nn.sigmoid(xu[:, :2 * H] + hw[:, :2 * H]), 2, 1)
        h = u * s[0] + (1 - u) * jnp.tanh(xu[:, 2 * H:] + r * hw[:, 2 * H:])
        return (h,), h

    def rnn(p, s, x):
        h = jnp.tanh(x @ p[0] + s[0] @ p[1] + p[2])
        return (h,), h

    return {"lstm": lstm, "gru": gru, "gru-after": gru_after, "rnn": rnn}[cell]


def prepare(what, cell, T, B, I, H, threads):
    if threads != THREADS:
        raise LookupError(f"pinned to {THREADS} cores")
    U, W = (jnp.asarray(numpy.concatenate(part, 1)) for part in common.weights(cell, I, H))
    p = (U, W, jnp.zeros(U.shape[1], jnp.float32))
    x = jnp.asarray(common.inputs(T, B, I))
    first = (jnp.zeros((B, H), jnp.float32),) * (2 if cell == "lstm" else 1)
    one = step(cell, H)

    def outputs(p, x):
        return jax.lax.scan(lambda s, x: one(p, s, x), first, x)[1]

    def loss(p, x):
        return jnp.mean(jnp.square(outputs(p, x)))

    work = jax.jit(jax.value_and_grad(loss, (0, 1)) if what == "train" else outputs)
    value = work(p, x)[0] if what == "train" else jnp.mean(jnp.square(work(p, x)))
    return float(value), lambda: jax.block_until_ready(work(p, x))


common.serve(prepare)
