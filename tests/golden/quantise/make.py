#!/usr/bin/env python3
"""Makes expected.safetensors: rows of floats and what the gguf package quantises them to.
usage: make.py   (gguf 0.19.0, numpy, safetensors; the same bytes each time)"""
import os
import numpy as np
from gguf import GGMLQuantizationType as T, quants
from safetensors.numpy import save_file

rng = np.random.default_rng(7)
x = rng.standard_normal((24, 64)).astype(np.float32)
x[0] = 0
x[1, :32] = 0
x[1, 40:] = 0
x[2] *= 1e-6
x[3] *= 1e-30                                  # scales below f16
x[4] *= 1e4
x[5, ::2] = np.arange(32) - 15.5               # halves: away from zero
x[6] = np.repeat([127, -127, 0.5, -0.5, 63.5, -63.5, 1.5, 2.5], 8)
x[7, :32] = np.linspace(-8, 7, 32)
x[7, 32:] = np.linspace(8, -7, 32)
x[8, :2] = [3, -3]                             # the first of two largest decides
x[8, 32:34] = [-3, 3]
x[9] = 1
x[10] = -1
x[11, 5] = 1000
x[12] = rng.integers(-8, 8, 64)                # exact in Q4_0
x[13] = rng.integers(-127, 128, 64)
x[14] = rng.integers(-16, 16, 64) / np.float32(32)
x[15] = np.float32(2) ** rng.integers(-20, 8, 64)
x[16:] *= np.float32(2) ** rng.integers(-9, 5, (8, 1))
out = {"x": x}
for name in "F16", "BF16", "Q8_0", "Q4_0":
    out[name] = np.ascontiguousarray(quants.quantize(x, T[name])).view(np.uint8)
save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.safetensors"))
