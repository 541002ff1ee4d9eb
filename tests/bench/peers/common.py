"""What the peers' programs share: the works' shapes, the clock, the lines they print.

The shapes and token ids are those of tests/bench/model.c, and so is a line:
    WHO WORK SECONDS UNITS PEAK_KB
"""
import argparse
import resource
import time

# prompts, candidates of each, tokens of a prompt, tokens of a response
SHAPES = {
    "start": (1, 1, 64, 1),
    "decode1": (1, 1, 64, 64),
    "decode8": (1, 8, 64, 64),
    "decode32": (4, 8, 64, 64),
    "decode8-attn": (1, 8, 64, 64),
    "decode32-attn": (4, 8, 64, 64),
    "score": (8, 1, 64, 64),
    "score-group": (1, 8, 64, 64),
    "train": (8, 1, 64, 64),
    "adamw": (1, 1, 1, 1),
    "step": (4, 8, 64, 64),
}


class Shape:
    def __init__(self, work, vocabulary):
        self.groups, self.cands, self.P, self.T = SHAPES[work]
        self.vocabulary = vocabulary

    def ids(self, at, n):
        return [(i * 31 + 5) % self.vocabulary for i in range(at, at + n)]

    def prompt(self, g):
        return self.ids(g * (self.P + self.cands * self.T), self.P)

    def response(self, g, c):
        return self.ids(g * (self.P + self.cands * self.T) + self.P + c * self.T, self.T)

    def prompts(self):
        """One row for each candidate: prompts are repeated."""
        return [self.prompt(g) for g in range(self.groups) for c in range(self.cands)]

    def wholes(self):
        """Prompt and response of each candidate."""
        return [self.prompt(g) + self.response(g, c)
                for g in range(self.groups) for c in range(self.cands)]


def arguments(what):
    """-m MODEL -j THREADS -n TIMES --dtype f32|bf16 WORK"""
    p = argparse.ArgumentParser(description=what)
    p.add_argument("-m", dest="model", required=True)
    p.add_argument("-j", dest="threads", type=int, default=1)
    p.add_argument("-n", dest="times", type=int, default=3)
    p.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
    p.add_argument("work", choices=sorted(SHAPES))
    return p.parse_args()


def now(threads):
    """With one thread, the processor's time, as bench.h does."""
    return time.process_time() if threads == 1 else time.perf_counter()


def report(who, work, seconds, units):
    kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("%s %s %.6f %d %d" % (who, work, seconds, units, kb), flush=True)


def measure(who, o, run):
    """run() gives the units; the first one warms up."""
    for i in range(o.times + 1):
        t = now(o.threads)
        units = run()
        if i:
            report(who, o.work, now(o.threads) - t, units)
