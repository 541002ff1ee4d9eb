#include "tok/cache.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = 8192, LONGEST = 24 };

struct cached_word {
    uint8_t n, tokens; /* n == 0: free */
    uint8_t len[LONGEST];
    char text[LONGEST];
    int32_t id[LONGEST];
};

void cache_release(struct cache *c)
{
    free(c->word);
    *c = (struct cache){0};
}

int cache_init(struct cache *c, struct err *e)
{
    free(c->word);
    c->word = calloc(WORDS, sizeof *c->word);
    return c->word ? 0 : err_set(e, ERR_NOMEM, "no memory for a cache of words");
}

static struct cached_word *place(const struct cache *c, const char *word, size_t n)
{
    return &c->word[hash64(word, n) & (WORDS - 1)];
}

int64_t cache_get(const struct cache *c, const char *word, size_t n, int32_t *id,
                  uint32_t *len)
{
    if (n == 0 || n > LONGEST || !c->word)
        return -1;
    const struct cached_word *w = place(c, word, n);

    if (w->n != n || memcmp(w->text, word, n) != 0)
        return -1;
    for (size_t i = 0; i < w->tokens; i++) {
        id[i] = w->id[i];
        len[i] = w->len[i];
    }
    return w->tokens;
}

void cache_put(struct cache *c, const char *word, size_t n, const int32_t *id,
               const uint32_t *len, size_t tokens)
{
    if (n == 0 || n > LONGEST || tokens > LONGEST || !c->word)
        return;
    struct cached_word *w = place(c, word, n);

    w->n = (uint8_t)n;
    w->tokens = (uint8_t)tokens;
    memcpy(w->text, word, n);
    for (size_t i = 0; i < tokens; i++) {
        w->id[i] = id[i];
        w->len[i] = (uint8_t)len[i];
    }
}
