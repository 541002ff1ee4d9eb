/*
 * Chat templates: messages to the text that the model was trained on, knowing of every
 * byte whether it is the user's.
 *
 * A template is Jinja source in the model's files.  There is no Jinja engine behind
 * this interface (yet): the source is brought into a canonical form and must be, as a
 * whole, one of the known templates: ChatML (with or without a default system prompt,
 * as SmolLM2's), Llama 2, Llama 3, Mistral v0.1 and v0.2, Zephyr, Gemma.  Another is an
 * error that names the file and says what to do; it is never guessed at.
 */
#ifndef CAGSR_TOK_TEMPLATE_H
#define CAGSR_TOK_TEMPLATE_H

#include "base/err.h"
#include "tok/tok.h"

#include <stddef.h>
#include <stdint.h>

struct template;

/* Recognises `source`; `where` names its file in errors.  The caller owns *out.
 * ERR_FILE: not a known template. */
int template_open(struct template **out, const char *source, const char *where,
                  struct err *e) MUST_CHECK;
void template_close(struct template *tm); /* NULL is fine */

/* "chatml", "llama2", "llama3", "mistral-v0.1", "mistral-v0.2", "zephyr", "gemma". */
const char *template_name(const struct template *tm);

/* The text of the token that ends an answer ("<|im_end|>"), a stop beside the model's own;
 * NULL if the end of text does.  Static. */
const char *template_turn_end(const struct template *tm);

struct chat_message {
    const char *role; /* "system", "user", "assistant"; NUL-terminated */
    const char *text; /* (n) UTF-8 */
    size_t n;
};

enum template_end {
    TEMPLATE_CLOSED, /* the conversation as it is */
    TEMPLATE_ASK,    /* and what asks the assistant to speak (add_generation_prompt) */
};

/* A rendered conversation; zero-initialised is empty, memory is used again. */
struct rendered {
    char *text;          /* (n) and a NUL */
    unsigned char *user; /* (n) 1 = a byte of a user message's content; 0 = template,
                            system prompt, earlier answers */
    size_t n, cap;
};
void rendered_release(struct rendered *r);

/* Replaces *r by the conversation in the words of tm; bos and eos are what the template
 * calls bos_token and eos_token ("" if there is none).  ERR_RECORD with the template's
 * own sentence where it refuses (roles that do not alternate, no system role). */
int template_render(const struct template *tm, const struct chat_message *message,
                    size_t n, enum template_end end, const char *bos, const char *eos,
                    struct rendered *r, struct err *e) MUST_CHECK;

/* A text without a template, all of it the user's.  ERR_NOMEM. */
int rendered_raw(struct rendered *r, const char *text, size_t n,
                 struct err *e) MUST_CHECK;

/* mask[i] = 1 where every byte of token i is the user's content and the token is not
 * special; a token that straddles a boundary, or stands for no text, is 0.  mask has
 * room for ids->n bytes; ids are the tokens of r->text. */
void rendered_mask(unsigned char *mask, const struct rendered *r, const struct tok *t,
                   const struct tok_ids *ids);

#endif
