#include "tok/private.h"
#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

void tok_decoder_init(struct tok_decoder *d, struct tok *t, enum tok_show show)
{
    *d = (struct tok_decoder){.tok = t, .show = show};
}

void tok_decoder_reset(struct tok_decoder *d)
{
    d->n = d->tokens = d->nwait = d->words = 0;
    if (d->text)
        d->text[0] = '\0';
}

void tok_decoder_release(struct tok_decoder *d)
{
    free(d->text);
    free(d->end);
    *d = (struct tok_decoder){0};
}

/* Room for n more bytes, each of which may become a U+FFFD, and a token. */
static int reserve(struct tok_decoder *d, size_t n, struct err *e)
{
    const size_t need = d->n + 3 * (n + sizeof d->wait) + 1;

    if (need > d->cap) {
        const size_t cap = need + need / 2 + 64;
        char *text = realloc(d->text, cap);

        if (!text)
            return err_set(e, ERR_NOMEM, "no memory for a text of %zu bytes", cap);
        d->text = text;
        d->cap = cap;
    }
    if (d->tokens == d->etop) {
        const size_t top = d->etop ? 2 * d->etop : 64;
        uint32_t *end = realloc(d->end, top * sizeof *end);

        if (!end)
            return err_set(e, ERR_NOMEM, "no memory for %zu tokens", top);
        d->end = end;
        d->etop = top;
    }
    return 0;
}

static void append(struct tok_decoder *d, const char *s, size_t n)
{
    memcpy(d->text + d->n, s, n);
    d->n += n;
}

/* What waits will never be a character. */
static void give_up(struct tok_decoder *d)
{
    if (d->nwait > 0)
        append(d, replacement, sizeof replacement - 1);
    d->nwait = 0;
}

static void take_byte(struct tok_decoder *d, unsigned char c)
{
    if (d->nwait > 0) {
        if (utf8_continues((unsigned char *)d->wait, d->nwait, c)) {
            d->wait[d->nwait++] = (char)c;
            if (d->nwait == utf8_length((unsigned char)d->wait[0])) {
                append(d, d->wait, d->nwait);
                d->nwait = 0;
            }
            return;
        }
        give_up(d);
    }
    if (c < 0x80)
        d->text[d->n++] = (char)c;
    else if (utf8_length(c) == 0)
        append(d, replacement, sizeof replacement - 1);
    else
        d->wait[d->nwait++] = (char)c;
}

int tok_decoder_push(struct tok_decoder *d, int32_t id, struct err *e)
{
    size_t n;
    const char *s = tok_bytes(d->tok, id, &n);
    int rc;

    if (d->show == TOK_SKIP_SPECIAL && tok_is_special(d->tok, id))
        s = NULL;
    if ((rc = reserve(d, (s ? n : 0) + 1, e)) < 0)
        return rc;
    if (s && d->tok->kind == TOK_WORDS && d->words++ > 0)
        take_byte(d, ' ');
    for (size_t i = 0; s && i < n; i++)
        take_byte(d, (unsigned char)s[i]);
    d->text[d->n] = '\0';
    d->end[d->tokens++] = (uint32_t)(d->n + d->nwait);
    return 0;
}

int tok_decoder_finish(struct tok_decoder *d, struct err *e)
{
    const int rc = reserve(d, 1, e);

    if (rc < 0)
        return rc;
    give_up(d);
    d->text[d->n] = '\0';
    return 0;
}

int tok_decode(struct tok *t, const int32_t *id, size_t n, enum tok_show show,
               char **text, size_t *len, struct err *e)
{
    struct tok_decoder d;
    int rc = 0;

    tok_decoder_init(&d, t, show);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = tok_decoder_push(&d, id[i], e);
    if (rc == 0)
        rc = tok_decoder_finish(&d, e);
    if (rc == 0) {
        *text = d.text;
        *len = d.n;
        d.text = NULL;
    }
    tok_decoder_release(&d);
    return rc;
}
