#include "given.h"

#include <stdlib.h>
#include <string.h>

struct given {
    struct emitter *em; /* borrowed, as what follows */
    const struct chat *chat;
    const char *field;
    int32_t end;        /* what ends an answer; -1: nothing */
    struct tok_ids ids; /* owned, as what follows */
    struct rendered before;
};

/* Candidate `cand` of n. */
static int put(struct given *g, const struct prompt *p, struct rec_str text,
               size_t cand, size_t n, struct err *e)
{
    struct err why = {0};
    const int rc = chat_encode_answer(g->chat, text, g->end, &g->ids, &why);

    if (rc < 0)
        return rec_fault(&p->rec, rc, e, g->field, "%s", why.text);
    if (g->ids.n == 0)
        return rec_fault(&p->rec, ERR_RECORD, e, g->field, "an answer without tokens");
    const struct generate_completion c = {.cand = cand,
                                          .n = n,
                                          .P = p->P,
                                          .T = g->ids.n,
                                          .ids = g->ids.id,
                                          .finish = GENERATE_EOS};
    return emit_sample(g->em, p, NULL, &c, e);
}

/* A list of texts: 1, or 0 if it is none. */
static int put_list(struct given *g, const struct prompt *p, struct err *e)
{
    const struct rec_value v = rec_find(&p->rec, g->field);
    struct rec_iter it;
    struct rec_value key, text;
    struct rec_str s;
    size_t cand = 0;
    int rc = 1;

    rec_iter_start(&it, v);
    if (rec_value_type(v) != REC_ARRAY || !rec_iter_next(&it, &key, &text) ||
        rec_value_type(text) != REC_STR)
        return 0;
    for (rec_iter_start(&it, v); rc >= 0 && rec_iter_next(&it, &key, &text);)
        rc = rec_value_str(&s, text) < 0 || !rec_utf8_valid(s.s, s.n)
                 ? rec_fault(&p->rec, ERR_RECORD, e, g->field,
                             "element %zu is not a text", cand)
                 : put(g, p, s, cand++, rec_value_count(v), e);
    return rc < 0 ? rc : 1;
}

/* One answer, by itself or at the end of the prompt's conversation. */
static int put_one(struct given *g, const struct prompt *p, struct err *e)
{
    struct rec_str text;
    int rc = chat_answer(g->chat, &p->rec, g->field, &g->before, &text, e);

    if (rc == 0)
        rc = rec_fault(&p->rec, ERR_RECORD, e, g->field, "missing, expected an answer");
    if (rc == CHAT_WHOLE &&
        (g->before.n != p->ntext || memcmp(g->before.text, p->text, p->ntext) != 0))
        rc = rec_fault(&p->rec, ERR_RECORD, e, g->field,
                       "a conversation that is not the prompt's");
    if (rc > 0)
        rc = put(g, p, text, 0, 1, e);
    free((char *)(uintptr_t)text.s);
    return rc;
}

static int one(struct given *g, struct prompt *p, struct err *e)
{
    int rc;

    if (p->kind == PROMPT_OTHER)
        return rec_writer_put(g->em->out, &p->rec, e);
    if ((rc = put_list(g, p, e)) == 0)
        rc = put_one(g, p, e);
    return rc < 0 ? rc : rec_writer_flush(g->em->out, e);
}

int given_all(struct emitter *em, struct source *source, const struct chat *chat,
              const char *field, const struct cli_tool *tool,
              const struct cli_common *common, struct err *e)
{
    struct given g = {.em = em, .chat = chat, .field = field};
    struct cli_progress progress;
    struct prompt *p;
    size_t done = 0;
    int rc = chat_end(chat, &g.end, e);

    cli_progress_start(&progress, tool, common, "prompts", 0);
    while (rc >= 0 && (rc = source_next(source, &p, e)) > 0) {
        done += p->kind == PROMPT_ASK;
        rc = one(&g, p, e);
        prompt_free(p);
        cli_progress_update(&progress, done, NULL, 0);
    }
    cli_progress_end(&progress, rc);
    tok_ids_release(&g.ids);
    rendered_release(&g.before);
    return rc;
}
