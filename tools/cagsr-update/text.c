/*
 * Records that have text but no ids: data sets of prompts with answers (sft), or with a
 * chosen and a rejected answer (dpo, rm).  The prompt goes through the model's chat
 * template unless --raw, as in cagsr-sample; the answer is tokenised by itself and closed
 * with the end token, as a sampler would have drawn it.  So only the answer is learnt from.
 */
#include "update.h"

#include <stdlib.h>
#include <string.h>

static int open_chat(struct source *s, struct err *e)
{
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
    if ((rc = chat_open(&s->chat, s->tok, s->o->raw ? CHAT_RAW : CHAT_TEMPLATE, NULL,
                        e)) < 0)
        return rc;
    return chat_end(&s->chat, &s->end, e);
}

/* ---- texts of a record ------------------------------------------------------------------ */

/* A record's prompt and answers before they are tokens.  Answers are owned. */
struct example {
    struct rec_str answer[2]; /* the chosen one first, of a pair */
    const char *field[2];     /* where they were */
    size_t n;
};

static void example_release(struct example *x)
{
    for (size_t i = 0; i < 2; i++)
        free((char *)x->answer[i].s);
}

/* The answer under the first of the fields that the record has: as chat_answer, the
 * conversation before it in *before. */
static int find_answer(const struct source *s, const struct rec *r,
                       const char *const *fields, struct example *x,
                       struct rendered *before, struct err *e)
{
    int rc = 0;

    for (; *fields && rc == 0; fields++) {
        x->field[x->n] = *fields;
        rc = chat_answer(&s->chat, r, *fields, before, &x->answer[x->n], e);
    }
    x->n += rc > 0;
    return rc;
}

/* The record's prompt into s->rendered[0].  An answer at the end of its conversation is
 * the example's, if that has none. */
static int find_prompt(struct source *s, const struct rec *r, struct example *x,
                       struct err *e)
{
    struct rec_str end;
    int rc = chat_render(&s->chat, r, &s->rendered[0], &end, e);

    if (rc >= 0 && end.s && x->n > 0 &&
        (x->n > 1 || end.n != x->answer[0].n || memcmp(end.s, x->answer[0].s, end.n)))
        rc = rec_fault(r, ERR_RECORD, e, x->field[0],
                       "there, and the prompt ends with an answer of its own");
    if (rc < 0 || !end.s || x->n > 0) {
        free((char *)end.s);
        return rc;
    }
    x->answer[0] = end;
    x->field[0] = "messages";
    x->n = 1;
    return 0;
}

/* sft: a prompt with its answer. */
static int find_one(struct source *s, const struct rec *r, struct example *x,
                    struct err *e)
{
    static const char *const fields[] = {"response", "completion", "output",
                                         "answer",   "text",       NULL};
    int rc = find_answer(s, r, fields, x, &s->rendered[0], e);

    if (rc < 0 || (rc == CHAT_WHOLE && !chat_has_prompt(r)))
        return rc;
    if (rc == CHAT_WHOLE)
        return rec_fault(r, ERR_RECORD, e, x->field[0],
                         "a conversation, and there is a prompt beside it");
    if ((rc = find_prompt(s, r, x, e)) < 0)
        return rc;
    return x->n ? 0 : rec_fault(r, ERR_RECORD, e, "response", "missing");
}

/* dpo, rm.  Two whole conversations bring the prompt, in which they must agree; as some
 * data sets have it, its last turn may stand in `prompt` again. */
static int find_two(struct source *s, const struct rec *r, struct example *x,
                    struct err *e)
{
    static const char *const chosen[] = {"chosen", NULL}, *const rejected[] = {
                                                              "rejected", NULL};
    const struct rendered *a = &s->rendered[0], *b = &s->rendered[1];
    int first, second;

    if ((first = find_answer(s, r, chosen, x, &s->rendered[0], e)) < 0)
        return first;
    if (first == 0)
        return rec_fault(r, ERR_RECORD, e, "chosen", "missing");
    if ((second = find_answer(s, r, rejected, x, &s->rendered[1], e)) < 0)
        return second;
    if (second == 0)
        return rec_fault(r, ERR_RECORD, e, "rejected", "missing");
    if (first == 1 && second == 1)
        return find_prompt(s, r, x, e);
    if (first != second || a->n != b->n || memcmp(a->text, b->text, a->n))
        return rec_fault(r, ERR_RECORD, e, "rejected",
                         "its answer is not to the conversation of 'chosen'");
    return 0;
}

/* ---- and their tokens ------------------------------------------------------------------- */

/* Adds an answer as a candidate: its tokens, then the end token. */
static int add_answer(struct source *s, const struct rec *r, const char *field,
                      struct rec_str text, double reward, struct err *e)
{
    struct tok_ids *ids = &s->ids[1];
    const size_t P = s->one.group[0].P;
    int rc = chat_encode_answer(&s->chat, text, s->end, ids, e);

    if (rc < 0)
        return rc;
    if (ids->n == 0)
        return rec_fault(r, ERR_RECORD, e, field, "no tokens");
    if ((rc = source_check_length(s, r, field, P, ids->n, e)) < 0)
        return rc;
    const struct train_new n = {
        .T = ids->n, .ids = ids->id, .reward = reward, .temperature = 1, .ended = 1};
    return train_data_cand(&s->one, &n, e);
}

static int add_example(struct source *s, const struct rec *r, const struct example *x,
                       struct err *e)
{
    const struct rendered *text = &s->rendered[0];
    int rc = tok_encode(s->tok, text->text, text->n, chat_add(&s->chat), &s->ids[0], e);

    if (rc < 0)
        return rc;
    if (s->ids[0].n == 0)
        return rec_fault(r, ERR_RECORD, e, "prompt", "no tokens");
    rc = train_data_group(&s->one, s->ids[0].id, s->ids[0].n, e);
    for (size_t i = 0; i < x->n && rc >= 0; i++)
        rc = add_answer(s, r, x->field[i], x->answer[i], i == 0, e);
    return rc;
}

int source_text(struct source *s, const struct rec *r, struct err *e)
{
    const int pair = (s->algo->flags & ALGO_PAIR) != 0;
    struct example x = {0};
    int rc;

    s->records++;
    if ((rc = open_chat(s, e)) >= 0 &&
        (rc = pair ? find_two(s, r, &x, e) : find_one(s, r, &x, e)) >= 0 &&
        (rc = pair && s->need_ref
                  ? rec_fault(r, ERR_RECORD, e, "ref", "missing: give --ref BASE")
                  : 0) >= 0)
        rc = add_example(s, r, &x, e);
    example_release(&x);
    return rc;
}
