/* The golden models, a line each, by what they are.  Included by who gives some of these a
 * meaning; those without one are left out.  (The shell tests read it, too.)
 *
 *   DECODER   a family, or one more of its forms
 *   STORED    one of them in other numbers, or in shards
 *   ADAPTER   one of them with an adapter
 *   ENCDEC    encoder and decoder
 *   ENCODER   an encoder alone (make_bert.py)
 *   CACHED    a decoder that comes token by token from a cache: logits and tokens only
 */
/* clang-format off */
#ifndef DECODER
#define DECODER(name)
#endif
#ifndef STORED
#define STORED(name)
#endif
#ifndef ADAPTER
#define ADAPTER(name)
#endif
#ifndef ENCDEC
#define ENCDEC(name)
#endif
#ifndef ENCODER
#define ENCODER(name)
#endif
#ifndef CACHED
#define CACHED(name)
#endif

DECODER("gpt2-tiny")
DECODER("llama-tiny")
DECODER("smollm2-tiny")
DECODER("llama3-tiny")
DECODER("mistral-tiny")
DECODER("qwen2-tiny")
DECODER("qwen2-yarn-tiny")
DECODER("qwen3-tiny")
DECODER("gptneox-tiny")
DECODER("gptneox-seq-tiny")
DECODER("gemma-tiny")
DECODER("gemma2-tiny")
DECODER("gemma3-tiny")
DECODER("gemma3-kinds-tiny")
DECODER("olmo2-tiny")
DECODER("phi3-tiny")
DECODER("starcoder2-tiny")
DECODER("stablelm-tiny")
DECODER("granite-tiny")
STORED("gpt2-f16")
STORED("llama-bf16")
STORED("llama-sharded")
ADAPTER("llama-tiny-lora")
ENCDEC("t5-tiny")
ENCDEC("t5v11-tiny")
ENCDEC("bart-tiny")
ENCODER("bert-tiny")
ENCODER("bert-f16")
CACHED("llama-dynamic-tiny")

#undef DECODER
#undef STORED
#undef ADAPTER
#undef ENCDEC
#undef ENCODER
#undef CACHED
/* clang-format on */
