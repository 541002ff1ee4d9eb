"""The sampling works of tests/bench/model.c by llama.cpp, through llama-cpp-python's
bindings of its C functions:
    llama_bench.py -m FILE.gguf [-j THREADS] [-n TIMES] [--dtype f32|bf16] WORK

A prompt is computed once and its cache shared by its candidates (llama_memory_seq_cp in
a unified cache); each candidate has a sampler of its own, drawing at temperature 1.
All that is done for a token runs in C but the loop over candidates.  `start` loads, draws
one token and ends.  --dtype only names the file's type.  llama.cpp returns no attention.
"""
import ctypes
import os

import llama_cpp as L

from common import Shape, arguments, measure


@L.llama_log_callback
def quiet(level, text, data):
    pass


def load(path):
    L.llama_log_set(quiet, ctypes.c_void_p(0))
    L.llama_backend_init()
    p = L.llama_model_default_params()
    p.n_gpu_layers = 0
    model = L.llama_model_load_from_file(path.encode(), p)
    if not model:
        raise SystemExit("%s: llama.cpp cannot load it" % path)
    return model


def context(model, s, threads):
    rows = s.groups * s.cands
    p = L.llama_context_default_params()
    p.n_ctx = s.groups * s.P + rows * s.T + 64
    p.n_batch = p.n_ubatch = max(512, s.groups * s.P)
    p.n_seq_max = rows
    p.n_threads = p.n_threads_batch = threads
    p.kv_unified = True
    ctx = L.llama_init_from_model(model, p)
    if not ctx:
        raise SystemExit("llama.cpp makes no context of %d tokens" % p.n_ctx)
    return ctx


def add(batch, token, pos, seq, logits):
    i = batch.n_tokens
    batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, pos, 1
    batch.seq_id[i][0], batch.logits[i] = seq, logits
    batch.n_tokens += 1


def sampler(seed):
    chain = L.llama_sampler_chain_init(L.llama_sampler_chain_default_params())
    L.llama_sampler_chain_add(chain, L.llama_sampler_init_temp(1.0))
    L.llama_sampler_chain_add(chain, L.llama_sampler_init_dist(seed))
    return chain


def decode(ctx, batch):
    if L.llama_decode(ctx, batch) != 0:
        raise SystemExit("llama_decode failed")


def prefill(ctx, batch, s):
    """Every prompt through the model; returns the batch row of each candidate's logits."""
    memory, rows = L.llama_get_memory(ctx), []
    L.llama_memory_clear(memory, True)
    batch.n_tokens = 0
    for g in range(s.groups):
        for i, token in enumerate(s.prompt(g)):
            add(batch, token, i, g * s.cands, i == s.P - 1)
        rows += [batch.n_tokens - 1] * s.cands
    decode(ctx, batch)
    for g in range(s.groups):
        for c in range(1, s.cands):
            L.llama_memory_seq_cp(memory, g * s.cands, g * s.cands + c, -1, -1)
    return rows


def runner(ctx, s):
    n = s.groups * s.cands
    batch = L.llama_batch_init(max(s.groups * s.P, n), 0, 1)
    samplers = [sampler(c + 1) for c in range(n)]

    def run():
        rows = prefill(ctx, batch, s)
        for t in range(s.T):
            tokens = [L.llama_sampler_sample(samplers[c], ctx, rows[c]) for c in range(n)]
            if t + 1 == s.T:
                break
            batch.n_tokens = 0
            for c in range(n):
                add(batch, tokens[c], s.P + t, c, True)
            decode(ctx, batch)
            rows = range(n)
        return n * s.T

    return run


def main():
    o = arguments(__doc__)
    if not (o.work == "start" or o.work in ("decode1", "decode8", "decode32")):
        raise SystemExit("llama_bench: llama.cpp has no '%s'" % o.work)
    model = load(o.model)
    s = Shape(o.work, L.llama_vocab_n_tokens(L.llama_model_get_vocab(model)))
    run = runner(context(model, s, o.threads), s)
    if o.work == "start":
        run()
        os._exit(0)
    measure("llama-" + o.dtype, o, run)


main()
