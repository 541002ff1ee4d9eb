/*
 * The page.  Its text stands in page.html, page.css and page.js beside this file; the
 * Makefile turns each into a C string.  Here is what goes into it: the run as JSON, a
 * script element for each prompt, so that a page of hundreds of prompts parses only those
 * that are looked at, and so that a stream is written as it is read.
 *
 * Attention takes a byte for each number.  Column j of a plane has its own scale, `max[j]`, in
 * thousandths; a value is max[j] (q / 89)^2, q from 0 to 89, one character of ASCII from '#' on,
 * without '<' and '\'.  Beside the largest of its column a value is exact to 1.1 %, at a
 * hundredth of it to 11 %.
 *
 * Nothing that a model wrote can become markup: it is JSON without '<', and page.js puts
 * it on the page as text.  The page's policy lets no script run but page.js, by its hash,
 * and nothing be fetched.
 */
#include "draw.h"

#include "base/base64.h"
#include "rec/buf.h"
#include "view/escape.h"
#include "view/palette.h"
#include "view/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 90, SNIPPET = 90, SHA256 = 32 };

static const char page_html[] =
#include "page.html.inc"
    ;
static const char page_css[] =
#include "page.css.inc"
    ;
static const char page_js[] =
#include "page.js.inc"
    ;
static const char page_js_sha256[] = /* hexadecimal */
#include "page.js.sha256.inc"
    ;

/* ---- the frame ------------------------------------------------------------------------- */
static void put_policy(struct rec_buf *out)
{
    unsigned char hash[SHA256];
    char text[64] = "";

    for (size_t i = 0; i < SHA256; i++) {
        const char byte[3] = {page_js_sha256[2 * i], page_js_sha256[2 * i + 1], 0};

        hash[i] = (unsigned char)strtoul(byte, NULL, 16);
    }
    base64_put(text, hash, SHA256);
    text[base64_size(SHA256)] = '\0';
    rec_buf_printf(out,
                   "default-src 'none'; script-src 'sha256-%s'; style-src "
                   "'unsafe-inline'; base-uri 'none'; form-action 'none'",
                   text);
}

/* What the page is called: the title given, else the first file, and how many more. */
static void put_name(struct rec_buf *out, const struct opts *o)
{
    const char *name = o->title                               ? o->title
                       : strcmp(o->common.files[0], "-") == 0 ? "a stream"
                                                              : o->common.files[0];

    escape_xml(out, name, strlen(name));
    if (!o->title && o->common.nfiles > 1)
        rec_buf_printf(out, " and %zu more", o->common.nfiles - 1);
}

/* Copies the page from *at up to the mark <!--NAME-->, and moves *at behind it. */
static void put_until(struct rec_buf *out, const char **at, const char *mark)
{
    const char *end = strstr(*at, mark);

    rec_buf_add(out, *at, (size_t)(end - *at));
    *at = end + strlen(mark);
}

void html_begin(struct draw *d)
{
    struct rec_buf *out = &d->out;

    d->page = page_html;
    put_until(out, &d->page, "<!--POLICY-->");
    put_policy(out);
    put_until(out, &d->page, "<!--TITLE-->");
    put_name(out, d->o);
    put_until(out, &d->page, "<!--CSS-->");
    rec_buf_str(out, page_css);
    put_until(out, &d->page, "<!--TITLE-->");
    put_name(out, d->o);
    put_until(out, &d->page, "<!--DATA-->");
}

/* ---- numbers and names ----------------------------------------------------------------- */
static void put_number(struct rec_buf *out, double x, int digits)
{
    if (isfinite(x))
        rec_buf_printf(out, "%.*g", digits, x);
    else
        rec_buf_str(out, "null");
}

static void put_tokens(struct rec_buf *out, const struct scene_tokens *k)
{
    rec_buf_str(out, "[");
    for (size_t i = 0; i < k->n; i++) {
        rec_buf_str(out, i ? "," : "");
        escape_json(out, k->token[i].s, k->token[i].n);
    }
    rec_buf_str(out, "]");
}

/* One digit for each byte. */
static void put_mask(struct rec_buf *out, const unsigned char *mask, size_t n)
{
    rec_buf_str(out, "\"");
    for (size_t i = 0; i < n; i++)
        rec_buf_str(out, !mask || mask[i] ? "1" : "0");
    rec_buf_str(out, "\"");
}

static void put_spans(struct rec_buf *out, const struct scene_spans *s)
{
    rec_buf_str(out, "[");
    for (size_t i = 0; i < s->n; i++)
        rec_buf_printf(out, "%s[%zu,%zu]", i ? "," : "", s->span[i].from,
                       s->span[i].to);
    rec_buf_str(out, "]");
}

/* ---- attention ------------------------------------------------------------------------- */
static double column_max(const float *A, size_t T, size_t P, size_t j)
{
    double top = 0;

    for (size_t t = 0; t < T; t++)
        top = fmax(top, A[t * P + j]);
    return top;
}

static char level_char(double x, double top)
{
    const double share = top > 0 && x > 0 ? fmin(1, x / top) : 0;
    int c = '#' + (int)lround((LEVELS - 1) * sqrt(share));

    c += c >= '<';
    return (char)(c + (c >= '\\'));
}

static void put_plane(struct rec_buf *max, struct rec_buf *text, const float *A,
                      size_t T, size_t P)
{
    unsigned char *to = rec_buf_room(text, T * P);

    for (size_t j = 0; j < P; j++) {
        /* the scale as it will be read: three digits */
        char number[32];
        snprintf(number, sizeof number, "%.3g", 1e3 * column_max(A, T, P, j));
        const double top = 1e-3 * strtod(number, NULL);

        rec_buf_printf(max, "%s%s", max->n ? "," : "", number);
        for (size_t t = 0; to && t < T; t++)
            to[t * P + j] = (unsigned char)level_char(A[t * P + j], top);
    }
    text->n += to ? T * P : 0;
}

static void put_attention(struct rec_buf *out, const struct scene_cand *c)
{
    const struct sample_attn *a = &c->sample.attn;
    const size_t planes = a->L ? a->L * a->H : 1;
    struct rec_buf max = {0}, text = {0};

    if (!c->A)
        return;
    rec_buf_printf(out, ",\"L\":%zu,\"H\":%zu", a->L ? a->L : 1, a->L ? a->H : 1);
    for (size_t k = 0; k < planes; k++)
        put_plane(&max, &text, a->rows + k * a->T * a->P, a->T, a->P);
    rec_buf_str(out, ",\"max\":[");
    rec_buf_add(out, max.p, max.n);
    rec_buf_str(out, "],\"a\":\"");
    rec_buf_add(out, text.p, text.n);
    rec_buf_str(out, "\"");
    out->oom |= max.oom | text.oom;
    rec_buf_release(&max);
    rec_buf_release(&text);
}

/* ---- a candidate ----------------------------------------------------------------------- */
static void put_terms(struct rec_buf *out, const struct scene_cand *c)
{
    rec_buf_str(out, ",\"terms\":[");
    for (size_t i = 0; i < c->terms; i++) {
        rec_buf_str(out, i ? ",[" : "[");
        escape_json(out, c->term[i].name.s, c->term[i].name.n);
        rec_buf_printf(out, ",%zu,", palette_find(c->term[i].name));
        put_number(out, c->term[i].value, 6);
        rec_buf_str(out, ",");
        put_number(out, c->term[i].weight, 6);
        rec_buf_str(out, "]");
    }
    rec_buf_str(out, "]");
}

static void put_words(struct rec_buf *out, const struct scene_cand *c)
{
    rec_buf_str(out, ",\"words\":[");
    for (size_t g = 0; g < c->words; g++) {
        const struct scene_word *w = &c->word[g];

        rec_buf_str(out, g ? ",[" : "[");
        escape_json(out, w->name, strlen(w->name));
        rec_buf_str(out, ",[");
        for (size_t i = 0; i < w->n; i++)
            rec_buf_printf(out, "%s%u", i ? "," : "", w->pos[i]);
        rec_buf_str(out, "],");
        put_number(out, w->weight, 3);
        rec_buf_str(out, "]");
    }
    rec_buf_str(out, "]");
}

static void put_reading(struct rec_buf *out, const struct scene_cand *c)
{
    rec_buf_str(out, ",\"read\":[");
    for (size_t g = 0; g < c->words; g++) {
        rec_buf_str(out, g ? ",[" : "[");
        put_number(out, c->word[g].best, 3);
        rec_buf_printf(out, ",%zu,%d]", c->word[g].step, c->word[g].hardly);
    }
    rec_buf_str(out, "]");
}

static int same_words(const struct scene_cand *a, const struct scene_cand *b)
{
    if (a->words != b->words)
        return 0;
    for (size_t g = 0; g < a->words; g++)
        if (strcmp(a->word[g].name, b->word[g].name) != 0 ||
            a->word[g].n != b->word[g].n ||
            memcmp(a->word[g].pos, b->word[g].pos, a->word[g].n * sizeof(uint32_t)) !=
                0)
            return 0;
    return 1;
}

static void put_cand(struct rec_buf *out, const struct scene *s,
                     const struct scene_cand *c)
{
    static const char *const finish[] = {"", "eos", "stop", "length", "other"};

    rec_buf_printf(out, "{\"cand\":%llu,\"steps\":%zu,\"finish\":\"%s\",\"reward\":",
                   (unsigned long long)c->sample.cand, c->steps,
                   finish[c->sample.finish]);
    put_number(out, c->reward, 6);
    rec_buf_str(out, ",\"t\":");
    put_tokens(out, &c->tokens);
    put_terms(out, c);
    if (!same_words(c, &s->cand[0]))
        put_words(out, c);
    put_reading(out, c);
    rec_buf_str(out, ",\"repeated\":");
    put_spans(out, &c->repeated);
    rec_buf_str(out, ",\"copied\":");
    put_spans(out, &c->copied);
    put_attention(out, c);
    rec_buf_str(out, "}");
}

/* ---- the list of prompts --------------------------------------------------------------- */
/* The begin of what the user wrote. */
static void put_snippet(struct rec_buf *out, const struct scene *s)
{
    struct rec_buf text = {0};

    for (size_t j = 0; j < s->prompt.n && text.n < SNIPPET; j++)
        if (!s->user || s->user[j])
            rec_buf_add(&text, s->prompt.token[j].s, s->prompt.token[j].n);
    escape_json(out, (const char *)text.p, text.n);
    out->oom |= text.oom;
    rec_buf_release(&text);
}

static void put_entry(struct rec_buf *out, const struct scene *s, const char *source)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        if (!isnan(s->cand[i].reward)) {
            sum += s->cand[i].reward;
            n++;
        }
    rec_buf_str(out, out->n ? ",[" : "[");
    escape_json(out, s->id.s, s->id.n);
    rec_buf_str(out, ",");
    put_snippet(out, s);
    rec_buf_printf(out, ",%zu,", s->n);
    put_number(out, s->cand[s->order[0]].reward, 4);
    rec_buf_str(out, ",");
    put_number(out, n ? sum / (double)n : (double)NAN, 4);
    if (source) {
        rec_buf_str(out, ",");
        escape_json(out, source, strlen(source));
    }
    rec_buf_str(out, "]");
}

int html_group(struct draw *d, struct err *e)
{
    const struct scene *s = &d->scene;
    const struct sample_attn *a = &s->cand[0].sample.attn;
    struct rec_buf *out = &d->out;

    put_entry(&d->index, s, d->streams > 1 ? d->source : NULL);
    rec_buf_printf(
        out, "<script type=\"application/json\" id=\"g%zu\">{\"id\":", d->prompts);
    escape_json(out, s->id.s, s->id.n);
    rec_buf_str(out, ",\"p\":");
    put_tokens(out, &s->prompt);
    rec_buf_str(out, ",\"user\":");
    put_mask(out, s->user, s->prompt.n);
    rec_buf_str(out, ",\"support\":");
    put_mask(out, s->support, s->prompt.n);
    rec_buf_printf(out, ",\"first\":%zu,\"layers\":", planes_first_layer(a));
    escape_json(out, s->cand[0].A ? a->layers.s : "", s->cand[0].A ? a->layers.n : 0);
    put_words(out, &s->cand[0]);
    rec_buf_str(out, ",\"c\":[");
    for (size_t i = 0; i < s->n; i++) {
        rec_buf_str(out, i ? ",\n" : "");
        put_cand(out, s, &s->cand[s->order[i]]);
    }
    rec_buf_str(out, "]}</script>\n");
    return d->index.oom ? err_set(e, ERR_NOMEM, "no memory for the list of prompts")
                        : 0;
}

/* ---- the end --------------------------------------------------------------------------- */
static void put_parts(struct rec_buf *out)
{
    for (size_t i = 0; i < PALETTE_PARTS; i++) {
        const unsigned char *c = palette_parts[i].rgb;

        rec_buf_printf(out, "%s\"#%02x%02x%02x\"", i ? "," : "", c[0], c[1], c[2]);
    }
}

int html_end(struct draw *d, struct err *e)
{
    struct rec_buf *out = &d->out;
    struct curve_panels p = {0};
    int rc;

    if (!d->page)
        html_begin(d);
    rec_buf_str(out, "<script type=\"application/json\" id=\"index\">{\"parts\":[");
    put_parts(out);
    rec_buf_str(out, "],\"prompts\":[");
    rec_buf_add(out, d->index.p, d->index.n);
    rec_buf_str(out, "]}</script>\n");
    put_until(out, &d->page, "<!--CURVES-->");
    if (d->curves.n) {
        if ((rc = curves_panels(&p, &d->curves, d->o->fields, e)) < 0)
            return rc;
        svg_curves(out, &p, NULL);
        curves_panels_release(&p);
    }
    put_until(out, &d->page, "<!--JS-->");
    rec_buf_str(out, page_js);
    rec_buf_str(out, d->page);
    return 0;
}
