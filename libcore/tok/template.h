/*
 * Chat templates: messages to the text that the model was trained on, knowing of every
 * byte whether it is the user's.
 *
 * A template is Jinja source in the model's files, and is taken as it is: jinja/ renders it
 * as transformers' apply_chat_template does.  It sees messages, tools, documents,
 * add_generation_prompt, the model's special tokens (bos_token, pad_token ...) and whatever
 * more the caller has.
 */
#ifndef CAGSR_TOK_TEMPLATE_H
#define CAGSR_TOK_TEMPLATE_H

#include "base/err.h"
#include "jinja/value.h"
#include "tok/tok.h"

#include <stddef.h>
#include <stdint.h>

struct template;

/* Parses `source`; `where` names its file in errors.  The caller owns *out.  What
 * strftime_now shows is fixed here: SOURCE_DATE_EPOCH in UTC if the environment has it, else
 * the local time.  ERR_FILE with the line: not Jinja, or not supported. */
int template_open(struct template **out, const char *source, const char *where,
                  struct err *e) MUST_CHECK;

/* Opens the model's own: the default, and "tool_use", if there is one, for scenes with
 * tools.  They see the model's special tokens by their names; t lives longer.  *out is NULL
 * if the model has no template at all; ERR_FILE, too, if it has some, but no default. */
int template_open_of(struct template **out, const struct tok *t,
                     struct err *e) MUST_CHECK;
void template_close(struct template *tm); /* NULL is fine */

/* *id = the special token that the template puts behind an answer ("<|im_end|>"), a stop
 * beside the model's own; -1 if there is none.  ERR_NOMEM. */
int template_turn_end(const struct template *tm, struct tok *t, int32_t *id,
                      struct err *e) MUST_CHECK;

/* How the template wants content that is text. */
enum template_content {
    CONTENT_TEXT,   /* as a string: parts print as Python code, or not at all */
    CONTENT_EITHER, /* as a string or as parts of type text */
    CONTENT_PARTS,  /* as parts only: a string is lost */
};
enum template_content template_content(const struct template *tm);

enum template_end {
    TEMPLATE_CLOSED, /* the conversation as it is */
    TEMPLATE_ASK,    /* and what asks the assistant to speak (add_generation_prompt) */
};

enum template_fit {
    TEMPLATE_AS_IS,  /* contents go to the template as they are: transformers' way */
    TEMPLATE_FITTED, /* strings and parts of type text become what it wants */
};

/* What a template sees.  Values are of in's pool; the user's contents are marked there
 * (STR_USER). */
struct template_scene {
    struct interp *in;
    struct value messages;  /* V_LIST of V_DICT; members that are none are dropped */
    struct value tools;     /* V_MISSING, too, is none */
    struct value documents; /* the same */
    struct value more;      /* V_DICT of further variables, or V_MISSING */
    const char *bos, *eos;  /* NULL: not defined, or as the model's files name them */
    enum template_end end;
    enum template_fit fit;
};

/* A rendered conversation; zero-initialised is empty, memory is used again. */
struct rendered {
    char *text;          /* (n) and a NUL */
    unsigned char *user; /* (n) 1 = a byte of a user message's content; 0 = template,
                            system prompt, earlier answers */
    size_t n, cap;
};
void rendered_release(struct rendered *r);

/* Replaces *r by the conversation in the words of tm.  ERR_RECORD where the conversation
 * does not fit, with the template's own sentence where it refuses (roles that do not
 * alternate, no system role); ERR_FILE where the template asks for what is not
 * supported. */
int template_render_scene(const struct template *tm, const struct template_scene *s,
                          struct rendered *r, struct err *e) MUST_CHECK;

struct chat_message {
    const char *role; /* "system", "user", "assistant"; NUL-terminated */
    const char *text; /* (n) UTF-8 */
    size_t n;
};

/* The same for messages that are only text, fitted. */
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
