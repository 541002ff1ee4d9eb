"""What transformers makes of our directories: transformers-oracle.py < lines of JSON.

{"dir": ..., "name": ..., "prompt_ids": [...], "ids": [...], "ref": [...], "tolerance": x, "source": ...}
    loads, without a missing or unexpected key and without a warning (but for those about
    the configuration of the directory "source"); the log-probabilities of ids behind
    prompt_ids, in float32, are ref.
{"dir": ..., "name": ..., "prompt_ids": [...], "prompt": ..., "ids": [...], "text": ...}
    with "raw": the tokenizer makes prompt_ids of it; with "messages": the template renders
    prompt, the tokenizer makes prompt_ids of that; text is what ids stand for.

Prints one line for each name: how many are right, or what differs.
"""
import json, logging, os, sys, warnings

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="warning")
import torch, transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()
said = []
# of every T5 1.1, those of the hub too
T5_TIED = "The tied weights mapping and config for this model specifies to tie shared.weight to lm_head.weight"


class Keep(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING and not record.getMessage().startswith(T5_TIED):
            said.append(record.getMessage())


for name in "transformers", "tokenizers":
    logging.getLogger(name).addHandler(Keep())
warnings.showwarning = lambda message, *rest: said.append(str(message))
models, tokenizers = {}, {}


def model_of(path):
    if path not in models:
        models.clear()
        both = AutoConfig.from_pretrained(path).is_encoder_decoder
        of = AutoModelForSeq2SeqLM if both else AutoModelForCausalLM
        m, info = of.from_pretrained(path, output_loading_info=True)
        faults = ["%s: %s" % (k, sorted(v)[:3]) for k, v in info.items() if v]
        tied = m.config.tie_word_embeddings == (m.get_output_embeddings().weight is m.get_input_embeddings().weight)
        tied |= both  # a T5 calls itself tied whatever its file holds
        models[path] = m.float().eval(), faults + ([] if tied else ["the head is tied wrongly"])
    return models[path]


def logits_of(m, p, ids):
    """The rows that predict ids behind p."""
    with torch.no_grad():
        if not m.config.is_encoder_decoder:
            return m(torch.tensor([p + ids])).logits[0, len(p) - 1:-1]
        begin = [m.config.decoder_start_token_id, m.generation_config.forced_bos_token_id]
        begin = [t for t in begin if t is not None]
        z = m(input_ids=torch.tensor([p]), decoder_input_ids=torch.tensor([begin + ids[:-1]])).logits
        return z[0, len(begin) - 1:]


def check_model(r):
    m, faults = model_of(r["dir"])
    ids = r["ids"]
    logits = logits_of(m, r["prompt_ids"], ids).double()
    logp = logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0]
    worst = (logp - torch.tensor(r["ref"]).double()).abs().max().item()
    return faults + ([] if worst <= r["tolerance"] else ["log-probabilities differ by %g" % worst])


def tokenizer_of(path):
    if path not in tokenizers:
        tokenizers[path] = AutoTokenizer.from_pretrained(path)
    return tokenizers[path]


def check_tokenizer(r):
    t, faults = tokenizer_of(r["dir"]), []
    if "messages" in r:
        text = t.apply_chat_template(r["messages"], add_generation_prompt=True, tokenize=False)
        ids = t(text, add_special_tokens=False)["input_ids"]
        if text != r["prompt"]:
            faults.append("rendered %r, not %r" % (text, r["prompt"]))
    else:
        text, ids = r["raw"], t(r["raw"])["input_ids"]
    if ids != r["prompt_ids"]:
        faults.append("%r: ids %s, not %s" % (text, ids, r["prompt_ids"]))
    back = t.decode(r["ids"], skip_special_tokens=True)
    if back != r["text"]:
        faults.append("ids %s decoded to %r, not %r" % (r["ids"], back, r["text"]))
    return faults


results, asked = {}, {}
for line in sys.stdin:
    r = json.loads(line)
    del said[:]
    if r.get("source"):
        AutoConfig.from_pretrained(r["source"])
    known = set(said)
    del said[:]
    faults = check_model(r) if "ref" in r else check_tokenizer(r)
    results.setdefault(r["name"], []).extend(faults + [s for s in said if s not in known])
    asked[r["name"]] = asked.get(r["name"], 0) + 1
for name, faults in results.items():
    print("%s: %s" % (name, "; ".join(faults) if faults else "%d ok" % asked[name]))
