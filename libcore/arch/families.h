/* The families, a line each: FAMILY(NAME) is `const struct family family_NAME` of a file
 * here.  Included by who gives FAMILY a meaning. */
/* clang-format off */
FAMILY(gpt2)
FAMILY(llama)
FAMILY(mistral)
FAMILY(qwen2)
FAMILY(qwen3)
FAMILY(gptneox)
FAMILY(gemma)
FAMILY(gemma2)
FAMILY(gemma3)
FAMILY(olmo2)
FAMILY(phi3)
FAMILY(starcoder2)
FAMILY(stablelm)
FAMILY(granite)
FAMILY(t5)
FAMILY(bart)
FAMILY(bert)
/* clang-format on */
