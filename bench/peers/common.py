"""common.py -- what workers share: numbers to fill arrays with, rounds, the protocol.

A worker answers lines on stdin:
    open WHAT CELL T B I H THREADS   ready LOSS, or: no REASON
    round                            milliseconds a call, over some 20 ms
WHAT is train (every gradient, that of the input too, of the mean of squares of the outputs) or
forward. Array k of a layer holds value(k, i): U of the gates first, then W; biases are 0. So every
program computes the same loss, which the driver checks before it believes a time."""
import sys
import time

import numpy

ROUND = 20e-3
GATES = {"lstm": 4, "gru": 3, "gru-after": 3, "rnn": 1}


def array(k, shape, scale):
    i = numpy.arange(int(numpy.prod(shape)), dtype=numpy.int64)
    return (scale * ((31 * k + i) * 7919 % 1009 / 504.5 - 1)).astype(numpy.float32).reshape(shape)


def weights(cell, I, H):
    """U [I,H] of every gate, W [H,H] of every gate."""
    n = GATES[cell]
    return ([array(k, (I, H), 0.1) for k in range(n)],
            [array(4 + k, (H, H), 0.1) for k in range(n)])


def inputs(T, B, I):
    return array(0, (T, B, I), 1)


def milliseconds(body, calls):
    if calls > 1:
        body()
    begin = time.perf_counter()
    for _ in range(calls):
        body()
    return 1e3 * (time.perf_counter() - begin) / calls


def serve(prepare):
    """prepare(what, cell, T, B, I, H, threads) -> (loss, body), or raises LookupError(reason)."""
    body, calls = None, 1
    for line in sys.stdin:
        words = line.split()
        if words[:1] == ["open"]:
            try:
                loss, body = prepare(words[1], words[2], *map(int, words[3:]))
                for _ in range(3):
                    body()
                once = 1e-3 * milliseconds(body, 1)
                calls = max(1, int(ROUND / once))
                print(f"ready {loss:.9g}", flush=True)
            except LookupError as reason:
                print(f"no {reason.args[0]}", flush=True)
        elif words == ["round"] and body:
            print(f"{milliseconds(body, calls):.6f}", flush=True)
        else:
            print("no such request", flush=True)
