/*
 * Answers that are there already: nothing is drawn, they become records as if it had been.
 */
#ifndef CAGSR_SAMPLE_GIVEN_H
#define CAGSR_SAMPLE_GIVEN_H

#include "cli/cli.h"
#include "emit.h"
#include "source.h"

/* Reads all prompts of `source` and writes, for each, the answers that its record has in
 * `field`: a text, an answer as chat_answer takes it, or a list of texts, one candidate each.
 * An answer's tokens end with the one that ends answers; emit draws none, so its records have
 * no log-probabilities and no policy.  Other records pass.  ERR_RECORD names file, record and
 * field; what stands before is written. */
int given_all(struct emitter *em, struct source *source, const struct chat *chat,
              const char *field, const struct cli_tool *tool,
              const struct cli_common *common, struct err *e) MUST_CHECK;

#endif
