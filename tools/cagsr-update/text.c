/*
 * Records that have text but no ids: data sets of prompts with answers (sft), or with a
 * chosen and a rejected answer (dpo, rm).  The prompt goes through the model's chat
 * template unless --raw; the answer is tokenised by itself and closed with the end
 * token, as a sampler would have drawn it.
 */
#include "update.h"

#include <stdlib.h>
#include <string.h>

static int open_tokenizer(struct source *s, struct err *e)
{
    const char *source, *where;
    int rc;

    if (s->tok)
        return 0;
    if ((rc = tok_open(&s->tok, s->m->text, e)) < 0)
        return rc;
    if (!tok_has_text(s->tok))
        return err_set(e, ERR_FILE,
                       "%s: no tokenizer, so records need prompt_ids and ids",
                       s->m->path);
    if (tok_size(s->tok) > s->m->arch.V)
        return err_set(e, ERR_FILE, "%s: the tokenizer has %zu ids, the model %zu",
                       s->m->path, tok_size(s->tok), s->m->arch.V);
    source = tok_chat_template(s->tok, &where);
    return s->o->raw || !source ? 0 : template_open(&s->chat, source, where, e);
}

/* The first of the keys that the record has, as text: 1, 0 if none. */
static int first_text(const struct rec *r, const char *const *keys, struct rec_str *out,
                      struct err *e)
{
    for (; *keys; keys++) {
        const int rc = rec_opt_str(r, *keys, out, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static const char *special(const struct tok *t, int32_t id, char *buf, size_t size)
{
    size_t n = 0;
    const char *bytes = id < 0 ? NULL : tok_bytes(t, id, &n);

    if (!bytes || n >= size)
        return "";
    memcpy(buf, bytes, n);
    buf[n] = 0;
    return buf;
}

/* `text` joined with `more` by a newline, as cagsr-sample joins them; malloc'd. */
static char *joined(struct rec_str text, struct rec_str more, size_t *n)
{
    char *out = malloc(text.n + more.n + 2);

    if (!out)
        return NULL;
    memcpy(out, text.s, text.n);
    *n = text.n;
    if (more.n) {
        out[*n] = '\n';
        memcpy(out + *n + 1, more.s, more.n);
        *n += 1 + more.n;
    }
    return out;
}

/* The prompt's tokens into s->ids[0]. */
static int prompt_ids(struct source *s, const struct rec *r, struct err *e)
{
    static const char *const keys[] = {"prompt", "instruction", "question", NULL};
    struct rec_str text, more = {0};
    char bos[256], eos[256];
    size_t n = 0;
    int rc = first_text(r, keys, &text, e);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return rec_fault(
            r, ERR_RECORD, e, "prompt",
            "missing, and so are ids and prompt_ids: nothing to learn from");
    if ((rc = rec_opt_str(r, "input", &more, e)) < 0)
        return rc;
    char *all = joined(text, more, &n);
    if (!all)
        return err_set(e, ERR_NOMEM, "no memory for a prompt of %zu bytes", text.n);
    const struct chat_message user = {"user", all, n};
    if (s->chat)
        rc = template_render(s->chat, &user, 1, TEMPLATE_ASK,
                             special(s->tok, tok_bos(s->tok), bos, sizeof bos),
                             special(s->tok, tok_eos(s->tok), eos, sizeof eos),
                             &s->rendered, e);
    else
        rc = rendered_raw(&s->rendered, all, n, e);
    free(all);
    if (rc < 0)
        return rc;
    return tok_encode(s->tok, s->rendered.text, s->rendered.n,
                      s->chat ? TOK_ADD_NONE : TOK_ADD_SPECIAL, &s->ids[0], e);
}

/* Adds an answer as a candidate: its tokens, then the end token. */
static int add_answer(struct source *s, const struct rec *r, const char *key,
                      struct rec_str text, double reward, struct err *e)
{
    struct tok_ids *ids = &s->ids[1];
    const size_t P = s->one.group[0].P;
    size_t nstops;
    const int32_t *stops = tok_stops(s->tok, &nstops);
    const int32_t end = nstops ? stops[0] : tok_eos(s->tok);
    int rc = tok_encode(s->tok, text.s, text.n, TOK_ADD_NONE, ids, e);

    if (rc < 0)
        return rc;
    int32_t *with_end = realloc(s->buf[3].p, (ids->n + 1) * sizeof *with_end);
    if (!with_end)
        return err_set(e, ERR_NOMEM, "no memory for an answer of %zu tokens", ids->n);
    s->buf[3].p = (unsigned char *)with_end;
    if (ids->n)
        memcpy(with_end, ids->id, ids->n * sizeof *with_end);
    const size_t T = ids->n + (end >= 0);
    if (end >= 0)
        with_end[ids->n] = end;
    if (T == 0)
        return rec_fault(r, ERR_RECORD, e, key, "no tokens");
    if ((rc = source_check_length(s, r, key, P, T, e)) < 0)
        return rc;
    const struct train_new n = {
        .T = T, .ids = with_end, .reward = reward, .temperature = 1, .ended = 1};
    return train_data_cand(&s->one, &n, e);
}

int source_text(struct source *s, const struct rec *r, struct train_data *d,
                struct err *e)
{
    static const char *const answers[] = {"response", "completion", "output",
                                          "answer",   "text",       NULL};
    static const char *const chosen[] = {"chosen", NULL};
    static const char *const rejected[] = {"rejected", NULL};
    const int pair = (s->algo->flags & ALGO_PAIR) != 0;
    struct rec_str text;
    int rc;

    s->records++;
    if ((rc = open_tokenizer(s, e)) < 0 || (rc = prompt_ids(s, r, e)) < 0)
        return rc;
    if (s->ids[0].n == 0)
        return rec_fault(r, ERR_RECORD, e, "prompt", "no tokens");
    if ((rc = train_data_group(d, s->ids[0].id, s->ids[0].n, e)) < 0 ||
        (rc = first_text(r, pair ? chosen : answers, &text, e)) < 0)
        return rc;
    if (rc == 0)
        return rec_fault(r, ERR_RECORD, e, pair ? "chosen" : "response", "missing");
    if ((rc = add_answer(s, r, pair ? "chosen" : "response", text, 1, e)) < 0 || !pair)
        return rc;
    if (s->need_ref)
        return rec_fault(r, ERR_RECORD, e, "ref", "missing: give --ref BASE");
    if ((rc = first_text(r, rejected, &text, e)) < 0)
        return rc;
    if (rc == 0)
        return rec_fault(r, ERR_RECORD, e, "rejected", "missing");
    return add_answer(s, r, "rejected", text, 0, e);
}
