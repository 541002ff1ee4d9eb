"""What peft makes of our adapters, and what it writes: lora-oracle.py make | check < lines.

make                    lines "BASE DIR KIND": writes an adapter of random weights for the
                        model at BASE, as peft does
check                   lines of JSON as transformers-oracle.py has them, "dir" an adapter's:
                        loads without a warning, and "ref" is what it gives.  With "merged",
                        also a directory that transformers loads and that gives the logits of
                        merge_and_unload
"""
import json, logging, os, sys, warnings

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="warning")
import torch, transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()
said = []


class Keep(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING:
            said.append(record.getMessage())


for name in "transformers", "peft":
    logging.getLogger(name).addHandler(Keep())
warnings.showwarning = lambda message, *rest: said.append(str(message))

KINDS = {
    "plain": dict(r=4, lora_alpha=8),
    "rslora": dict(r=5, lora_alpha=3, use_rslora=True),
    "patterns": dict(r=4, lora_alpha=8, rank_pattern={"0.*": 2}, alpha_pattern={"1.*": 5}),
    "all": dict(r=3, lora_alpha=6, target_modules="all-linear"),
}
TARGETS = {
    "llama": ["q_proj", "v_proj"], "gpt2": ["c_attn"], "gpt_neox": ["query_key_value"],
    "phi3": ["qkv_proj", "gate_up_proj"], "t5": ["q", "v"], "qwen2": ["k_proj", "o_proj"],
}


def base_of(path):
    config = AutoConfig.from_pretrained(path)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return kind.from_pretrained(path, dtype=torch.float32).eval(), config


def make(base, path, kind):
    m, config = base_of(base)
    torch.manual_seed(len(path))
    options = dict(target_modules=TARGETS[config.model_type], fan_in_fan_out=config.model_type == "gpt2",
                   task_type="SEQ_2_SEQ_LM" if config.is_encoder_decoder else "CAUSAL_LM")
    options.update(KINDS[kind])
    p = get_peft_model(m, LoraConfig(**options))
    for n, w in p.named_parameters():
        if "lora_B" in n:
            torch.nn.init.normal_(w, std=0.1)
    p.save_pretrained(path)


def logp_of(m, r):
    p, ids = r["prompt_ids"], torch.tensor(r["ids"])
    with torch.no_grad():
        if m.config.is_encoder_decoder:
            shifted = [m.config.decoder_start_token_id] + r["ids"][:-1]
            z = m(input_ids=torch.tensor([p]), decoder_input_ids=torch.tensor([shifted])).logits[0]
        else:
            z = m(torch.tensor([p + r["ids"]])).logits[0][len(p) - 1:-1]
    return z.double().log_softmax(-1).gather(1, ids[:, None])[:, 0]


def differs(what, m, r):
    worst = (logp_of(m, r) - torch.tensor(r["ref"]).double()).abs().max().item()
    return [] if worst <= 1e-4 else ["%s: log-probabilities differ by %g" % (what, worst)]


def check(r):
    with open(os.path.join(r["dir"], "adapter_config.json")) as f:
        base, _ = base_of(json.load(f)["base_model_name_or_path"])
    del said[:]  # what is said of the base is no matter here
    p = PeftModel.from_pretrained(base, r["dir"]).eval()
    spoken = [s for s in said if "deprecated" not in s]
    ours = load_file(os.path.join(r["dir"], "adapter_model.safetensors"))
    faults = spoken + differs("adapter", p, r)
    # every module that target_modules means has its weights in the file, and no other
    theirs = {n.replace(".default", "") for n, _ in p.named_parameters() if "lora_" in n}
    if theirs != set(ours):
        faults.append("other tensors: %s" % sorted(theirs ^ set(ours))[:3])
    if "merged" in r:
        whole, _ = base_of(r["merged"])
        faults += differs("merged", whole, r) + differs("merge_and_unload", p.merge_and_unload(), r)
    return faults


for line in sys.stdin:
    if sys.argv[1] == "make":
        make(*line.split())
    else:
        r = json.loads(line)
        faults = check(r)
        print("%s: %s" % (r["name"], "; ".join(faults) if faults else "ok"))
