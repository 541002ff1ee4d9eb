#include "tok/private.h"
#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

void tok_decoder_init(struct tok_decoder *d, struct tok *t, enum tok_show show)
{
    *d = (struct tok_decoder){.tok = t, .show = show, .strip = t->decoding.strip_up};
}

void tok_decoder_reset(struct tok_decoder *d)
{
    d->n = d->tokens = d->nwait = d->words = 0;
    d->run = (struct tok_run){0};
    d->strip = d->tok ? d->tok->decoding.strip_up : 0;
    if (d->text)
        d->text[0] = '\0';
}

void tok_decoder_release(struct tok_decoder *d)
{
    free(d->text);
    free(d->end);
    *d = (struct tok_decoder){0};
}

/* Room for n more bytes, each of which may become a U+FFFD as those of an open run may,
 * and a token. */
static int reserve(struct tok_decoder *d, size_t n, struct err *e)
{
    const size_t need = d->n + 3 * (n + sizeof d->wait + d->run.bytes) + 1;

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

/* ---- runs of byte tokens ----------------------------------------------------------------
 * The bytes of a run are text as long as they are UTF-8.  When one does not fit, or the
 * run ends inside a character, all of them become U+FFFD, one by one: that is what the
 * tokenizers library makes of them. */

static void spoil(struct tok_decoder *d)
{
    struct tok_run *r = &d->run;
    const size_t at = r->at;
    const size_t gone = r->bytes - (d->n - at) - d->nwait; /* taken off at the start */

    for (size_t i = r->token; i < d->tokens; i++)
        d->end[i] = (uint32_t)(at + 3 * (d->end[i] - at + gone));
    d->n = at;
    d->nwait = 0;
    d->strip = 0;
    r->spoilt = 1;
    for (size_t i = 0; i < r->bytes; i++)
        append(d, replacement, sizeof replacement - 1);
}

static int fits(const struct tok_decoder *d, unsigned char c)
{
    if (d->nwait > 0)
        return utf8_continues((const unsigned char *)d->wait, d->nwait, c);
    return utf8_length(c) > 0;
}

static void push_byte(struct tok_decoder *d, unsigned char c)
{
    struct tok_run *r = &d->run;

    if (r->bytes == 0)
        *r = (struct tok_run){.at = d->n, .token = d->tokens};
    if (!r->spoilt && !fits(d, c))
        spoil(d);
    r->bytes++;
    if (r->spoilt) {
        append(d, replacement, sizeof replacement - 1);
        return;
    }
    if (d->strip > 0 && c == (unsigned char)d->tok->decoding.strip) {
        d->strip--;
        return;
    }
    d->strip = 0;
    take_byte(d, c);
}

/* What comes next is no byte token. */
static void end_run(struct tok_decoder *d)
{
    if (d->run.bytes > 0 && !d->run.spoilt && d->nwait > 0)
        spoil(d);
    d->run = (struct tok_run){0};
}

static void push_text(struct tok_decoder *d, const char *s, size_t n)
{
    size_t i = 0;

    for (; d->strip > 0 && i < n && s[i] == d->tok->decoding.strip; i++)
        d->strip--;
    if (i < n)
        d->strip = 0;
    for (; i < n; i++)
        take_byte(d, (unsigned char)s[i]);
}

/* ---- tokens ---------------------------------------------------------------------------*/

/* The text of a token at this place: NULL if it stands for nothing. */
static int text_of(struct tok_decoder *d, int32_t id, const char **s, size_t *n,
                   struct err *e)
{
    struct tok *t = d->tok;
    int rc;

    *s = vocab_text(&t->bytes, id, n);
    if (!*s || (d->show == TOK_SKIP_SPECIAL && tok_is_special(t, id))) {
        *s = NULL;
        *n = 0;
        return 0;
    }
    if (d->words > 0 || !t->decoding.first)
        return 0;
    if ((rc = tok_show(t, id, TOKEN_FIRST, &t->shown, e)) < 0)
        return rc;
    *s = t->shown.s ? t->shown.s : "";
    *n = t->shown.n;
    return 0;
}

int tok_decoder_push(struct tok_decoder *d, int32_t id, struct err *e)
{
    const char *s;
    size_t n;
    int rc;

    if ((rc = text_of(d, id, &s, &n, e)) < 0 || (rc = reserve(d, n + 1, e)) < 0)
        return rc;
    if (s && d->tok->flags[id] & ID_BYTE) {
        push_byte(d, (unsigned char)*s);
        d->words++;
    } else if (s) {
        end_run(d);
        if (d->tok->decoding.blanks && d->words > 0)
            take_byte(d, ' ');
        push_text(d, s, n);
        d->words++;
    }
    d->text[d->n] = '\0';
    d->end[d->tokens++] = (uint32_t)(d->n + d->nwait);
    return 0;
}

int tok_decoder_finish(struct tok_decoder *d, struct err *e)
{
    const int rc = reserve(d, 1, e);

    if (rc < 0)
        return rc;
    end_run(d);
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
