#include "tok/unigram.h"

#include "tok/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double unk_penalty = 10.0; /* SentencePiece's kUnkPenalty */

struct unigram_best {
    double score;  /* of the best way from the beginning to here */
    uint32_t from; /* where its last piece begins */
    int32_t id;    /* that piece; NOWHERE: there is no way yet */
};

enum { NOWHERE = -2, UNKNOWN = -1 };

void unigram_release(struct unigram *u)
{
    trie_release(&u->trie);
    free(u->score);
    free(u->best);
    *u = (struct unigram){0};
}

static int set_score(struct unigram *u, size_t id, double score, const char *where,
                     struct err *e)
{
    if (id >= u->size) {
        const size_t size = id < 1024 ? 1024 : 2 * id;
        double *p = realloc(u->score, size * sizeof *p);

        if (!p)
            return err_set(e, ERR_NOMEM, "%s: no memory for %zu scores", where, size);
        u->score = p;
        for (size_t i = u->size; i <= id; i++)
            u->score[i] = 0;
        u->size = id + 1;
    }
    u->score[id] = score;
    return 0;
}

int unigram_score(struct unigram *u, size_t id, double score, const char *where,
                  struct err *e)
{
    if (!isfinite(score))
        return err_set(e, ERR_FILE, "%s: the score of token %zu is not a number", where,
                       id);
    return set_score(u, id, score, where, e);
}

/* Marked by a score that no piece has. */
int unigram_leave_out(struct unigram *u, size_t id, const char *where, struct err *e)
{
    return set_score(u, id, INFINITY, where, e);
}

int unigram_is_out(const struct unigram *u, size_t id)
{
    return isinf(u->score[id]);
}

/* The byte tokens <0x00> to <0xFF>. */
static void find_bytes(struct unigram *u, const struct vocab *v)
{
    for (unsigned b = 0; b < 256; b++) {
        char name[8];

        snprintf(name, sizeof name, "<0x%02X>", b);
        u->byte_id[b] = vocab_find(v, name, 6);
    }
}

int unigram_build(struct unigram *u, const struct vocab *v, const char *where,
                  struct err *e)
{
    struct trie_key *key = malloc((u->size + 1) * sizeof *key);
    size_t n = 0;
    int rc = key ? 0 : err_set(e, ERR_NOMEM, "%s: no memory for the pieces", where);

    u->lowest = INFINITY;
    for (size_t id = 0; id < u->size && rc == 0; id++) {
        size_t len;
        const char *text = vocab_text(v, (int32_t)id, &len);

        if (u->score[id] < u->lowest)
            u->lowest = u->score[id];
        if (len > UNIGRAM_MAX_PIECE)
            rc =
                err_set(e, ERR_FILE, "%s: piece %zu has %zu bytes, at most %d are read",
                        where, id, len, UNIGRAM_MAX_PIECE);
        else if (len > 0 && !unigram_is_out(u, id))
            key[n++] = (struct trie_key){text, (uint32_t)len, (int32_t)id};
    }
    if (!isfinite(u->lowest)) /* no pieces */
        u->lowest = 0;
    u->unknown = u->lowest - unk_penalty;
    find_bytes(u, v);
    if (rc == 0)
        rc = trie_build(&u->trie, key, n, e);
    free(key);
    return rc;
}

static int reserve(struct unigram *u, size_t n, struct err *e)
{
    if (n <= u->room)
        return 0;
    size_t room = u->room ? u->room : 256;

    while (room < n)
        room *= 2;
    free(u->best);
    u->room = 0;
    u->best = malloc(room * sizeof *u->best);
    if (!u->best)
        return err_set(e, ERR_NOMEM, "no memory for a word of %zu bytes", n);
    u->room = room;
    return 0;
}

static void offer(struct unigram_best *to, double score, size_t from, int32_t id)
{
    if (to->id == NOWHERE || score > to->score)
        *to = (struct unigram_best){score, (uint32_t)from, id};
}

/* All pieces that begin at word[at], the first `first` bytes of which are a character. */
static void extend(const struct unigram *u, const char *word, size_t n, size_t at,
                   size_t first)
{
    const double here = u->best[at].score;
    uint32_t node = 0;
    int single = 0;

    for (size_t i = at; i < n; i++) {
        if (!(node = trie_step(&u->trie, node, (unsigned char)word[i])))
            break;
        const int32_t id = u->trie.node[node].id;
        if (id < 0)
            continue;
        offer(&u->best[i + 1], u->score[id] + here, at, id);
        single |= i + 1 - at == first;
    }
    if (!single)
        offer(&u->best[at + first], u->unknown + here, at,
              u->unk < 0 ? UNKNOWN : u->unk);
}

/* Puts the tokens of a stretch of unknown characters in front of id[k], len[k]. */
static size_t put_unknown(const struct unigram *u, const char *word, size_t n, size_t k,
                          int32_t *id, uint32_t *len)
{
    const uint32_t node = trie_walk(&u->trie, 0, word, n);
    int all = u->bytes;

    for (size_t i = 0; i < n && all; i++)
        all = u->byte_id[(unsigned char)word[i]] >= 0;
    if ((node && u->trie.node[node].id >= 0) || !all) {
        id[--k] = node && u->trie.node[node].id >= 0 ? u->trie.node[node].id : u->unk;
        len[k] = (uint32_t)n;
        return k;
    }
    for (size_t i = n; i-- > 0;) { /* the first one covers them all */
        id[--k] = u->byte_id[(unsigned char)word[i]];
        len[k] = i == 0 ? (uint32_t)n : 0;
    }
    return k;
}

int64_t unigram_encode(struct unigram *u, const char *word, size_t n, int32_t *id,
                       uint32_t *len, struct err *e)
{
    int rc;

    if (n >= UINT32_MAX)
        return err_set(e, ERR_RECORD, "a word of %zu bytes without a break", n);
    if ((rc = reserve(u, n + 1, e)) < 0)
        return rc;
    for (size_t i = 0; i <= n; i++)
        u->best[i].id = NOWHERE;
    u->best[0].score = 0;
    for (size_t at = 0; at < n;) {
        const size_t first = utf8_length((unsigned char)word[at]);

        extend(u, word, n, at, first);
        at += first;
    }
    size_t k = n, end = n;
    while (end > 0) { /* backwards, filling id[] from its end */
        size_t from = u->best[end].from;
        const int32_t piece = u->best[end].id;

        if (piece != u->unk) {
            id[--k] = piece;
            len[k] = (uint32_t)(end - from);
            end = from;
            continue;
        }
        while (from > 0 && u->best[from].id == u->unk)
            from = u->best[from].from;
        k = put_unknown(u, word + from, end - from, k, id, len);
        end = from;
    }
    for (size_t i = k; i < n; i++)
        if (id[i] < 0)
            return err_set(e, ERR_RECORD,
                           "a character is no token, and there is no unknown token");
    memmove(id, id + k, (n - k) * sizeof *id);
    memmove(len, len + k, (n - k) * sizeof *len);
    return (int64_t)(n - k);
}
