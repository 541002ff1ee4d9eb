/*
 * Messages as templates get them.
 */
#ifndef CAGSR_TOK_MESSAGES_H
#define CAGSR_TOK_MESSAGES_H

#include "tok/template.h"

/* {"role": role, "content": text}, text marked as who's; borrows both. */
int messages_one(struct interp *in, const char *role, const char *text, size_t n,
                 enum str_who who, struct value *out) MUST_CHECK;

/* [{"type": "text", "text": text}] */
int messages_parts(struct interp *in, struct value text, struct value *out) MUST_CHECK;

/* What transformers makes of messages before a template sees them: members that are none
 * are dropped, a message's reasoning goes by all its names (reasoning_content, thinking,
 * reasoning); and contents fitted to what the template wants, unless `want` is
 * CONTENT_EITHER.  ERR_RECORD for messages that are no dictionaries. */
int messages_normal(struct interp *in, struct value messages,
                    enum template_content want, struct value *out) MUST_CHECK;

#endif
