"""One GRPO step by TRL's GRPOTrainer: 4 prompts, 8 candidates of 64 tokens each.
    trl_bench.py -m DIRECTORY [-j THREADS] [-n TIMES] [--dtype f32|bf16] step

A step samples, rewards and updates; its seconds are from the end of one optimizer step to
the end of the next, the first left out.  The reward counts letters: it costs nothing, and
no reference model runs (TRL's default).  End tokens are forbidden, so that responses have
full length.  Prompts are lines of prompts.txt.  --dtype bf16 is TRL's bf16=True.
"""
import os
import tempfile
import time
import warnings

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")

import torch
from datasets import Dataset
from datasets.table import InMemoryTable
from transformers import (AutoModelForCausalLM, AutoTokenizer, PrinterCallback,
                          TrainerCallback)
from trl import GRPOConfig, GRPOTrainer

from common import SHAPES, arguments, report

GROUPS, CANDS, _, TOKENS = SHAPES["step"]


def letters(completions, **_):
    return [float(len(set(c))) for c in completions]


class Clock(TrainerCallback):
    def __init__(self, o):
        self.o, self.last = o, None

    def on_step_end(self, args, state, control, **_):
        t = time.perf_counter()  # as rl.sh, whatever the threads
        if self.last is not None:
            report("trl-" + self.o.dtype, "step", t - self.last, GROUPS * CANDS * TOKENS)
        self.last = t


def dataset(n):
    """n prompts, the lines of prompts.txt over and over."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../prompts.txt")) as f:
        lines = [line.strip() for line in f if line.strip()]
    table = InMemoryTable.from_pydict({"prompt": [lines[i % len(lines)] for i in range(n)]})
    # With a fingerprint of our own: to make one, datasets pickles all of pyarrow, which
    # fails with some pairs of versions.
    return Dataset(table, fingerprint="prompts-%d" % n)


def config(o, where):
    return GRPOConfig(
        output_dir=where, max_steps=o.times + 1, learning_rate=1e-6, use_cpu=True,
        bf16=o.dtype == "bf16", gradient_checkpointing=False, num_generations=CANDS,
        per_device_train_batch_size=8, gradient_accumulation_steps=GROUPS * CANDS // 8,
        max_completion_length=TOKENS, generation_kwargs={"min_new_tokens": TOKENS},
        report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True)


def main():
    o = arguments(__doc__)
    torch.set_num_threads(o.threads)
    tokenizer = AutoTokenizer.from_pretrained(o.model)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(o.model, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as where:
        trainer = GRPOTrainer(
            model=model, reward_funcs=letters, args=config(o, where),
            train_dataset=dataset(GROUPS * (o.times + 1)), processing_class=tokenizer,
            callbacks=[Clock(o)])
        trainer.remove_callback(PrinterCallback)
        trainer.train()


main()
