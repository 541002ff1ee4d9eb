/*
 * From a record to text: which of the known forms its prompt and its answer have, what was
 * said in it, and the chat template around that.
 *
 *     {"prompt": "text"}  {"prompt": [messages]}  {"messages": [{"role", "content"}]}
 *     {"conversations": [{"from", "value"}]}   ShareGPT: human, gpt, system
 *     {"instruction", "input"}                 Alpaca; joined by a newline
 *     {"question"}
 *
 * A conversation that ends with the assistant's turn is one with its answer: the answer
 * becomes `reference`, what was before it the prompt.  Alpaca's `output` becomes
 * `reference` too.  In data sets an answer may also have a field of its own, as a text, as
 * the assistant's message, or as the end of a whole conversation.
 *
 * The template sees a message's other members (tool_calls, name ...), and the record's
 * `tools`, `documents` and the members of `chat_template_kwargs`.
 */
#ifndef CAGSR_CHAT_CHAT_H
#define CAGSR_CHAT_CHAT_H

#include "rec/record.h"
#include "tok/template.h"
#include "tok/tok.h"

struct chat {
    struct tok *tok;
    struct template *tm; /* NULL: prompts go as they are */
    const char *system;  /* for conversations without a system prompt, or NULL */
    char *bos, *eos; /* as the template calls them; owned; NULL: the model has none */
};

enum chat_form { CHAT_TEMPLATE, CHAT_RAW };

/* tok is borrowed.  A model without a template goes without, as under CHAT_RAW.
 * ERR_FILE: a template that is not Jinja; ERR_USAGE: a system prompt, and nothing to put
 * it into. */
int chat_open(struct chat *c, struct tok *tok, enum chat_form form, const char *system,
              struct err *e) MUST_CHECK;
void chat_close(struct chat *c); /* zeroed is fine */

/* Does the record have a prompt in one of the forms? */
int chat_has_prompt(const struct rec *r);

/* Renders a prompt's record.  *reference is the answer that came with it (malloc'd, the
 * caller's, also after an error), s NULL if none did.  ERR_RECORD with record and field named. */
int chat_render(const struct chat *c, const struct rec *r, struct rendered *out,
                struct rec_str *reference, struct err *e) MUST_CHECK;

/* The same for a line of text. */
int chat_render_text(const struct chat *c, const char *text, size_t n,
                     struct rendered *out, struct err *e) MUST_CHECK;

enum { CHAT_WHOLE = 2 };

/* The answer under `field`: 0 if there is none, else *answer is a copy (malloc'd, the
 * caller's, also after an error), and
 *   1           it is all that the field has
 *   CHAT_WHOLE  the field has a conversation, whose turns before the answer are in *before
 * ERR_RECORD if it is neither a text nor ends with the assistant's turn. */
int chat_answer(const struct chat *c, const struct rec *r, const char *field,
                struct rendered *before, struct rec_str *answer,
                struct err *e) MUST_CHECK;

/* *id = the token that ends an answer: the template's, else the model's first stop, or -1.
 * ERR_NOMEM. */
int chat_end(const struct chat *c, int32_t *id, struct err *e) MUST_CHECK;

/* *out = the tokens of an answer by itself, as a sampler would have drawn them, and `end`
 * (chat_end; below 0: nothing) behind them, where the text has ended.  As tok_encode. */
int chat_encode_answer(const struct chat *c, struct rec_str answer, int32_t end,
                       struct tok_ids *out, struct err *e) MUST_CHECK;

/* What tok_encode is to add: a template writes its BOS itself. */
enum tok_add chat_add(const struct chat *c);

#endif
