#include "model/capture.h"

#include "base/file.h"
#include "base/hash.h"
#include "model/adapter.h"
#include "model/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which layers ------------------------------------------------------------------ */

/* A layer's number at *s, or `absent` where there is none; -1: neither. */
static long number(const char **s, long absent)
{
    char *end;

    if (**s < '0' || **s > '9')
        return absent;
    const long n = strtol(*s, &end, 10);
    *s = end;
    return n > ARCH_LAYERS_MAX ? -1 : n;
}

static int parse_layers(struct capture_spec *s, size_t L, const char *text,
                        struct err *e)
{
    const char *at = text;
    long from, to;

    if (strcmp(text, "all") == 0) {
        from = 0, to = (long)L, at = "";
    } else if (strcmp(text, "last") == 0) {
        from = (long)L - 1, to = (long)L, at = "";
    } else if (strcmp(text, "upper") == 0) {
        from = (long)L / 2, to = (long)L, at = "";
    } else {
        from = number(&at, *text == ':' ? 0 : -1);
        to = from + 1;
        if (*at == ':') {
            at++;
            to = number(&at, (long)L);
        }
    }
    if (from < 0 || to <= from || to > (long)L || *at)
        return err_set(e, ERR_USAGE,
                       "layers '%s': expected all, last, upper, or A:B with 0 <= A < B "
                       "<= %zu",
                       text, L);
    s->from = (size_t)from;
    s->to = (size_t)to;
    return 0;
}

/* ---- which heads ------------------------------------------------------------------- */

enum { WEIGHTS_FILE_MAX = 1 << 22, WEIGHT_MAX = 1000000 };

/* One line "layer head weight"; 0, or -1. */
static int weight_line(struct capture_spec *s, size_t H, const char *line)
{
    char *end;
    const long l = strtol(line, &end, 10);

    if (end == line)
        return -1;
    line = end;
    const long h = strtol(line, &end, 10);
    if (end == line)
        return -1;
    line = end;
    const double w = strtod(line, &end);
    if (end == line || end[strspn(end, " \t\r")] || !(w >= 0 && w <= WEIGHT_MAX))
        return -1;
    if (l < (long)s->from || l >= (long)s->to || h < 0 || h >= (long)H)
        return -1;
    s->weights[((size_t)l - s->from) * H + (size_t)h] = (float)w;
    return 0;
}

static int weight_lines(struct capture_spec *s, size_t H, char *text, const char *path,
                        struct err *e)
{
    size_t n = 0;

    for (char *next, *line = text; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        n++;
        line[strcspn(line, "#")] = 0;
        if (line[strspn(line, " \t\r")] && weight_line(s, H, line) < 0)
            return err_set(e, ERR_FILE,
                           "%s: line %zu: expected 'layer head weight' with layer "
                           "%zu to %zu, head 0 to %zu, weight 0 to %d",
                           path, n, s->from, s->to - 1, H - 1, WEIGHT_MAX);
    }
    return 0;
}

static int normalise(struct capture_spec *s, size_t n, const char *path, struct err *e)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += s->weights[i];
    if (!(sum > 0))
        return err_set(e, ERR_FILE, "%s: no head has a weight above 0", path);
    for (size_t i = 0; i < n; i++)
        s->weights[i] = (float)(s->weights[i] / sum);
    return 0;
}

static int read_weights(struct capture_spec *s, size_t H, const char *path,
                        struct err *e)
{
    const size_t all = (s->to - s->from) * H;
    char *text;
    size_t n;
    int rc = file_read(&text, &n, path, WEIGHTS_FILE_MAX, e);

    if (rc < 0)
        return rc;
    s->heads = CAPTURE_WEIGHTS;
    if (!(s->weights = calloc(all, sizeof *s->weights)))
        rc = err_set(e, ERR_NOMEM, "%s: no memory", path);
    else if ((rc = weight_lines(s, H, text, path, e)) >= 0)
        rc = normalise(s, all, path, e);
    free(text);
    return rc;
}

/* ---- lengths of what values add ---------------------------------------------------- */

/* M (D, D) += W_O^h^T diag(g^2) W_O^h, g the gain of the norm after (NULL: 1). */
static void add_gram(float *M, const struct arch *a, const float *W, const float *gain)
{
    const size_t D = a->D, ld = a->H * D;

    for (size_t c = 0; c < a->C; c++) {
        const float g = gain ? a->norm_offset + gain[c] : 1;

        for (size_t j = 0; j < D; j++)
            for (size_t k = 0; k < D; k++)
                M[j * D + k] += g * W[c * ld + j] * (g * W[c * ld + k]);
    }
}

/* W_O, (C, H D), of a layer, as it is or, packed or with an adapter, made in `scratch`. */
static int output_matrix(const float **W, float *scratch, const struct model *m,
                         const struct gemm_weight *packed, size_t at, struct err *e)
{
    const struct arch *a = &m->arch;
    const size_t N = a->C, K = a->H * a->D;

    *W = packed ? scratch : m->params + at;
    if (packed)
        gemm_unpack(packed, m->kern, scratch, K, 0, N);
    if (!m->adapter)
        return 0;
    if (!packed)
        memcpy(scratch, *W, N * K * sizeof *scratch);
    *W = scratch;
    return adapter_merge(m, at, scratch, N, K, e);
}

/* |g W_O^h v|^2 = v^T M v with that M, made once: D^2 operations for a key instead of
 * C D. */
static int make_grams(struct capture_spec *s, const struct model *m, struct err *e)
{
    const struct arch *a = &m->arch;
    const size_t D = a->D, n = s->to - s->from, wide = a->H * D;
    const int cross = s->kind == CAPTURE_CROSS;
    float *scratch = malloc(a->C * wide * sizeof *scratch);
    int rc = 0;

    s->gram = calloc(n * a->H * D * D, sizeof *s->gram);
    if (!s->gram || !scratch)
        rc = err_set(e, ERR_NOMEM, "no memory for the norms of %zu layers", n);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        const struct model_layer *y = &m->layer[s->from + i];
        /* a norm of the whole sum is no part of what is added */
        const size_t post =
            cross || a->placement == NORM_OUTSIDE ? MODEL_NONE : y->post1;
        const float *W;

        const struct model_packed *p =
            model_is_packed(m) ? &m->packed[s->from + i] : NULL;

        if ((rc = output_matrix(&W, scratch, m, p ? cross ? &p->xo : &p->o : NULL,
                                cross ? y->xo : y->o, e)) < 0)
            break;
        for (size_t h = 0; h < a->H; h++)
            add_gram(s->gram + (i * a->H + h) * D * D, a, W + h * D,
                     post == MODEL_NONE ? NULL : m->params + post);
    }
    free(scratch);
    return rc;
}

void capture_norms(const struct capture_spec *s, const struct model *m, size_t l,
                   const float *v, size_t ldv, size_t n, float *out, size_t ld)
{
    const struct arch *a = &m->arch;
    const size_t D = a->D, share = a->H / a->G;

    for (size_t h = 0; h < a->H; h++) {
        const float *M = s->gram + ((l - s->from) * a->H + h) * D * D;

        for (size_t i = 0; i < n; i++) {
            const float *x = v + i * ldv + h / share * D;
            float sum = 0;

            for (size_t j = 0; j < D; j++) {
                float y = 0;
#pragma omp simd reduction(+ : y)
                for (size_t k = 0; k < D; k++)
                    y += M[j * D + k] * x[k];
                sum += y * x[j];
            }
            out[h * ld + i] = sqrtf(sum > 0 ? sum : 0);
        }
    }
}

/* ---- the spec ---------------------------------------------------------------------- */

static int parse_reduce(struct capture_spec *s, const struct model *m, const char *text,
                        struct err *e)
{
    if (strcmp(text, "mean") == 0)
        return 0;
    if (strcmp(text, "norm") != 0)
        return err_set(e, ERR_USAGE, "reduce '%s': expected mean or norm", text);
    s->reduce = CAPTURE_NORM;
    return make_grams(s, m, e);
}

int capture_spec_parse(struct capture_spec *s, const struct model *m,
                       const char *layers, const char *heads, const char *reduce,
                       struct err *e)
{
    int rc;

    *s = (struct capture_spec){.kind = m->encoder ? CAPTURE_CROSS : CAPTURE_SELF,
                               .heads = CAPTURE_MEAN};
    rc = parse_layers(s, m->arch.L, layers ? layers : "upper", e);
    if (rc >= 0 && heads && strcmp(heads, "each") == 0)
        s->heads = CAPTURE_EACH;
    else if (rc >= 0 && heads && strcmp(heads, "mean") != 0)
        rc = read_weights(s, m->arch.H, heads, e);
    if (rc >= 0)
        rc = parse_reduce(s, m, reduce ? reduce : "mean", e);
    if (rc < 0)
        capture_spec_release(s);
    return rc;
}

void capture_spec_release(struct capture_spec *s)
{
    free(s->weights);
    free(s->gram);
    *s = (struct capture_spec){0};
}

void capture_layers_text(char out[CAPTURE_TEXT], const struct capture_spec *s)
{
    snprintf(out, CAPTURE_TEXT, "%zu:%zu", s->from, s->to);
}

void capture_heads_text(char out[CAPTURE_TEXT], const struct capture_spec *s,
                        const struct model *m)
{
    char hex[HASH_HEX];

    if (s->heads != CAPTURE_WEIGHTS) {
        snprintf(out, CAPTURE_TEXT, "%s", s->heads == CAPTURE_EACH ? "each" : "mean");
        return;
    }
    hash_hex(hex,
             hash64(s->weights, (s->to - s->from) * m->arch.H * sizeof *s->weights));
    snprintf(out, CAPTURE_TEXT, "weights:%s", hex);
}

const char *capture_kind_text(const struct capture_spec *s)
{
    return s->kind == CAPTURE_CROSS ? "cross" : "self";
}

const char *capture_reduce_text(const struct capture_spec *s)
{
    return s->reduce == CAPTURE_NORM ? "norm" : "mean";
}

size_t capture_blocks(const struct capture_spec *s, const struct model *m)
{
    return s->heads == CAPTURE_EACH ? (s->to - s->from) * m->arch.H : 1;
}

/* ---- adding up --------------------------------------------------------------------- */

/* dst[j] += w p[j] (norms[j]), and the sum of what would lie behind it. */
static void add_plain(float *dst, const float *p, size_t n, float w)
{
    for (size_t j = 0; j < n; j++)
        dst[j] += w * p[j];
}

static void add_norm(float *dst, const float *p, const float *norms, size_t n, float w)
{
    for (size_t j = 0; j < n; j++)
        dst[j] += w * p[j] * norms[j];
}

/* Mass of keys from..to-1, position `base` being norms' first. */
static float mass(const float *p, const float *norms, size_t base, size_t from,
                  size_t to)
{
    float sum = 0;

    for (size_t j = from; j < to; j++)
        sum += norms ? p[j] * norms[j - base] : p[j];
    return sum;
}

void capture_add(const struct capture_spec *s, const struct capture_row *row, size_t l,
                 size_t H, size_t h, const float *p, size_t S, size_t pre,
                 const float *const norms[2])
{
    const size_t i = (l - s->from) * H + h, P = row->P < S ? row->P : S;
    const size_t block = s->heads == CAPTURE_EACH ? i : 0;
    const float w = s->heads == CAPTURE_EACH   ? 1.0f
                    : s->heads == CAPTURE_MEAN ? 1.0f / (float)((s->to - s->from) * H)
                                               : s->weights[i];
    float *dst = row->p + block * row->step;
    float *outside = row->outside + block * row->outside_step;

    if (s->reduce == CAPTURE_PLAIN) {
        add_plain(dst, p, P, w);
        *outside += w * mass(p, NULL, 0, P, S);
        return;
    }
    const size_t a = pre < P ? pre : P; /* columns that lie in the prefix */
    add_norm(dst, p, norms[0], a, w);
    add_norm(dst + a, p + a, norms[1], P - a, w);
    if (P < pre)
        *outside += w * mass(p, norms[0], 0, P, pre);
    *outside += w * mass(p, norms[1], pre, P > pre ? P : pre, S);
}
