#include "source.h"

#include "base/hash.h"
#include "lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct source {
    struct source_opts o;
    const struct chat *chat;
    struct rec_reader *records;
    struct lines *lines;
    struct rendered rendered; /* scratch */
    struct tok_ids ids;       /* scratch */
    struct rec_buf buf[2];    /* scratch */
    uint64_t *seen;           /* (slots) hashes of ids, 0: free */
    size_t slots, nseen;
    size_t number; /* prompts so far, of all shards */
};

void prompt_free(struct prompt *p)
{
    if (!p)
        return;
    rec_release(&p->rec);
    free(p->id);
    free(p->text);
    free(p->ids);
    free(p->ends);
    free(p->mask);
    free((char *)(uintptr_t)p->reference.s);
    free(p);
}

int source_new(struct source **out, const struct source_opts *o,
               const struct chat *chat, struct err *e)
{
    struct source *s = calloc(1, sizeof *s);
    int rc;

    *out = NULL;
    if (!s)
        return err_set(e, ERR_NOMEM, "no memory to read with");
    s->o = *o;
    s->o.limits.lines = 1;
    s->chat = chat;
    rc = o->form == SOURCE_TEXT
             ? lines_new(&s->lines, o->files, o->nfiles, o->limits.max_record, e)
             : rec_reader_new(&s->records, o->files, o->nfiles, &s->o.limits, e);
    if (rc < 0) {
        source_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void source_free(struct source *s)
{
    if (!s)
        return;
    rec_reader_free(s->records);
    lines_free(s->lines);
    rendered_release(&s->rendered);
    tok_ids_release(&s->ids);
    for (size_t i = 0; i < 2; i++)
        if (s->buf[i].p)
            free(s->buf[i].p);
    free(s->seen);
    free(s);
}

const struct rec_reader *source_reader(const struct source *s)
{
    return s->records;
}

/* ---- ids --------------------------------------------------------------------------------*/

/* 1 if the id is new (and remembered now), 0 if it was seen, or ERR_NOMEM. */
static int remember(struct source *s, const char *id, struct err *e)
{
    uint64_t h = hash64(id, strlen(id));

    h += h == 0;
    if (2 * (s->nseen + 1) > s->slots) {
        const size_t slots = s->slots ? 2 * s->slots : 1024;
        uint64_t *seen = calloc(slots, sizeof *seen);

        if (!seen)
            return err_set(e, ERR_NOMEM, "no memory for %zu ids", slots);
        for (size_t i = 0; i < s->slots; i++) {
            size_t k = s->seen[i] & (slots - 1);

            while (s->seen[i] && seen[k])
                k = (k + 1) & (slots - 1);
            if (s->seen[i])
                seen[k] = s->seen[i];
        }
        free(s->seen);
        s->seen = seen;
        s->slots = slots;
    }
    size_t k = h & (s->slots - 1);
    for (; s->seen[k]; k = (k + 1) & (s->slots - 1))
        if (s->seen[k] == h)
            return 0;
    s->seen[k] = h;
    s->nseen++;
    return 1;
}

/* id, or id-2, id-3 ...: the first that was not seen. */
static int unique_id(struct source *s, char **out, const char *id, size_t n,
                     struct err *e)
{
    char *p = *out = malloc(n + 24);

    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for an id");
    memcpy(p, id, n);
    p[n] = '\0';
    for (size_t again = 2;; again++) {
        const int rc = remember(s, p, e);

        if (rc != 0)
            return rc < 0 ? rc : 0;
        snprintf(p + n, 24, "-%zu", again);
    }
}

static int record_id(struct source *s, struct prompt *p, struct err *e)
{
    const struct rec_value v = rec_find(&p->rec, "id");
    char digits[24], hex[HASH_HEX];
    struct rec_str id;
    int64_t number;

    if (v.at && rec_value_type(v) != REC_NIL) {
        if (rec_value_int(&number, v) == 0) {
            snprintf(digits, sizeof digits, "%" PRId64, number);
            return unique_id(s, &p->id, digits, strlen(digits), e);
        }
        const int rc = rec_get_str(&p->rec, "id", &id, e);
        if (rc < 0)
            return rc;
        if (id.n == 0 || memchr(id.s, '\0', id.n))
            return rec_fault(&p->rec, ERR_RECORD, e, "id", "empty, or has a NUL");
        return unique_id(s, &p->id, id.s, id.n, e);
    }
    hash_hex(hex, hash64(p->rec.raw, p->rec.size));
    return unique_id(s, &p->id, hex, strlen(hex), e);
}

/* ---- tokens -----------------------------------------------------------------------------*/

static int take_tokens(struct prompt *p, const int32_t *ids, const uint32_t *ends,
                       size_t P, const char *text, size_t ntext, struct err *e)
{
    p->P = P;
    p->ntext = ntext;
    p->text = malloc(ntext + 1);
    p->ids = malloc((P + 1) * sizeof *p->ids);
    p->ends = calloc(P + 1, sizeof *p->ends);
    p->mask = calloc(P + 1, 1);
    if (!p->text || !p->ids || !p->ends || !p->mask)
        return err_set(e, ERR_NOMEM, "no memory for a prompt of %zu tokens", P);
    memcpy(p->text, text ? text : "", ntext);
    p->text[ntext] = '\0';
    if (P > 0)
        memcpy(p->ids, ids, P * sizeof *ids);
    if (ends)
        memcpy(p->ends, ends, P * sizeof *ends);
    return 0;
}

/* The rendered text of the scratch becomes the prompt's tokens. */
static int tokenise(struct source *s, struct prompt *p, struct err *e)
{
    struct tok *tok = s->chat->tok;
    const struct rendered *r = &s->rendered;
    int rc = tok_encode(tok, r->text, r->n, chat_add(s->chat), &s->ids, e);

    if (rc == 0)
        rc = take_tokens(p, s->ids.id, s->ids.end, s->ids.n, r->text, r->n, e);
    if (rc == 0)
        rendered_mask(p->mask, r, tok, &s->ids);
    return rc;
}

/* The text of ids that came without one. */
static int describe(struct source *s, struct prompt *p, const int32_t *ids, size_t P,
                    struct err *e)
{
    struct tok_decoder d;
    int rc = 0;

    tok_decoder_init(&d, s->chat->tok, TOK_SHOW_ALL);
    for (size_t i = 0; i < P && rc == 0; i++)
        rc = tok_decoder_push(&d, ids[i], e);
    if (rc == 0)
        rc = tok_decoder_finish(&d, e);
    if (rc == 0)
        rc = take_tokens(p, ids, d.end, P, d.text, d.n, e);
    tok_decoder_release(&d);
    return rc;
}

/* The tokenizer's special tokens, and the model's end tokens, known without one. */
static int is_special(const struct tok *tok, int32_t id)
{
    size_t n;
    const int32_t *stop = tok_stops(tok, &n);

    for (size_t i = 0; i < n; i++)
        if (stop[i] == id)
            return 1;
    return tok_is_special(tok, id);
}

/* A prompt that brings its ids: they are taken as they are.  Text and ends are the
 * record's if it has both, else what the ids say; the mask is the record's, else all that
 * is not special. */
static int take_ids(struct source *s, struct prompt *p, struct err *e)
{
    const struct rec *r = &p->rec;
    const int32_t *ids;
    const uint32_t *ends = NULL;
    const unsigned char *mask = NULL;
    struct rec_str text = {"", 0};
    size_t P, nends = 0, nmask = 0;
    int rc;

    if ((rc = rec_get_i32s(r, "prompt_ids", &s->buf[0], &ids, &P, e)) < 0 ||
        (rc = rec_opt_str(r, "prompt", &text, e)) < 0 ||
        (rc = rec_opt_u32s(r, "prompt_ends", &s->buf[1], &ends, &nends, e)) < 0 ||
        (rc = rec_opt_bin(r, "prompt_mask", &mask, &nmask, e)) < 0)
        return rc;
    if ((ends && nends != P) || (mask && nmask != P))
        return rec_fault(r, ERR_RECORD, e,
                         ends && nends != P ? "prompt_ends" : "prompt_mask",
                         "not as long as prompt_ids");
    for (size_t i = 0; i < nends; i++)
        if (ends[i] > text.n || (i > 0 && ends[i] < ends[i - 1]))
            return rec_fault(r, ERR_RECORD, e, "prompt_ends",
                             "not offsets in the prompt");
    rc = ends || !tok_has_text(s->chat->tok)
             ? take_tokens(p, ids, ends, P, text.s, ends ? text.n : 0, e)
             : describe(s, p, ids, P, e);
    for (size_t i = 0; rc == 0 && i < P; i++)
        p->mask[i] = mask ? mask[i] != 0 : !is_special(s->chat->tok, ids[i]);
    return rc;
}

/* ---- one prompt ---------------------------------------------------------------------------
 */

static int is_ask(const struct rec *r, struct err *e)
{
    const struct rec_str kind = rec_kind(r);

    if (kind.n == 0 || rec_str_is(kind, "prompt"))
        return 1;
    if (rec_str_is(kind, "sample"))
        return rec_fault(r, ERR_RECORD, e, "kind", "a sample, where prompts are read");
    return 0;
}

static int fill(struct source *s, struct prompt *p, struct err *e)
{
    int rc;

    if (rec_find(&p->rec, "prompt_ids").at)
        rc = take_ids(s, p, e);
    else {
        rc = chat_render(s->chat, &p->rec, &s->rendered, &p->reference, e);
        if (rc == 0)
            rc = tokenise(s, p, e);
    }
    if (rc == 0 && p->P == 0)
        return rec_fault(&p->rec, ERR_RECORD, e, NULL, "the prompt '%s' has no tokens",
                         p->id);
    return rc;
}

static int next_record(struct source *s, struct prompt *p, int *mine, struct err *e)
{
    struct rec *r;
    int rc = rec_reader_next(s->records, &r, e);

    if (rc <= 0)
        return rc;
    if ((rc = rec_copy(&p->rec, r, e)) < 0 || (rc = is_ask(r, e)) < 0)
        return rc;
    if (rc == 0) {
        p->kind = PROMPT_OTHER;
        *mine = s->o.shard == 0; /* once, not in every shard */
        return 1;
    }
    *mine = s->number++ % s->o.shards == s->o.shard;
    if ((rc = record_id(s, p, e)) < 0)
        return rc;
    rc = *mine ? fill(s, p, e) : 0;
    return rc < 0 ? rc : 1;
}

static int next_line(struct source *s, struct prompt *p, int *mine, struct err *e)
{
    const char *text;
    char hex[HASH_HEX];
    size_t n;
    int rc = lines_next(s->lines, &text, &n, e);

    if (rc <= 0)
        return rc;
    *mine = s->number++ % s->o.shards == s->o.shard;
    hash_hex(hex, hash64(text, n));
    if ((rc = unique_id(s, &p->id, hex, strlen(hex), e)) < 0)
        return rc;
    if (*mine && ((rc = chat_render_text(s->chat, text, n, &s->rendered, e)) < 0 ||
                  (rc = tokenise(s, p, e)) < 0))
        return rc == ERR_RECORD ? lines_fault(s->lines, e) : rc;
    return 1;
}

int source_next(struct source *s, struct prompt **out, struct err *e)
{
    for (;;) {
        struct prompt *p = calloc(1, sizeof *p);
        int mine = 0, rc;

        if (!p)
            return err_set(e, ERR_NOMEM, "no memory for a prompt");
        rc = s->lines ? next_line(s, p, &mine, e) : next_record(s, p, &mine, e);
        if (rc > 0 && mine) {
            *out = p;
            return 1;
        }
        prompt_free(p);
        if (rc <= 0)
            return rc;
    }
}
