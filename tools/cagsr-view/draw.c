#include "draw.h"

#include "base/file.h"
#include "rec/buf.h"
#include "view/svg.h"

static long given(size_t x)
{
    return x == SIZE_MAX ? SCENE_ALL : (long)x;
}

void draw_begin(struct draw *d, int fd, const struct term_style *style)
{
    const struct opts *o = d->o;

    d->fd = fd;
    d->style = *style;
    d->look = (struct scene_look){.layer = given(o->layer),
                                  .head = given(o->head),
                                  .token = given(o->token),
                                  .over = (enum scene_over)o->over,
                                  .share = o->share};
}

void draw_release(struct draw *d)
{
    scene_release(&d->scene);
    curves_release(&d->curves);
    rec_buf_release(&d->out);
    rec_buf_release(&d->index);
}

static int send(struct draw *d, struct err *e)
{
    const int rc = d->out.oom ? err_set(e, ERR_NOMEM, "no memory for a picture")
                              : file_write_all(d->fd, d->out.p, d->out.n, "output", e);

    rec_buf_clear(&d->out);
    return rc;
}

/* ---- which candidates ------------------------------------------------------------------ */
static int check_cand(const struct draw *d, const struct scene_cand *c, struct err *e)
{
    if (!c)
        return err_set(e, ERR_USAGE, "no candidate %zu of prompt '%.*s'", d->o->cand,
                       (int)d->scene.id.n, d->scene.id.s);
    if (d->look.token >= (long)c->sample.T)
        return err_set(e, ERR_USAGE, "--token %ld: candidate %llu has steps 0 to %zu",
                       d->look.token, (unsigned long long)c->sample.cand,
                       c->sample.T ? c->sample.T - 1 : 0);
    return 0;
}

static int term_one(struct draw *d, const struct scene_cand *c, struct err *e)
{
    const int rc = check_cand(d, c, e);

    return rc < 0 ? rc : term_cand(&d->out, &d->scene, c, &d->look, &d->style, e);
}

static int term_cands(struct draw *d, struct err *e)
{
    const struct scene *s = &d->scene;
    int rc = 0;

    if (d->o->cand != SIZE_MAX)
        return term_one(d, scene_find(s, d->o->cand), e);
    for (size_t i = 0; i < s->n && rc >= 0; i++)
        if (d->o->all || i == 0 || i + 1 == s->n)
            rc = term_one(d, &s->cand[s->order[i]], e);
    return rc;
}

static int term_group(struct draw *d, struct err *e)
{
    int rc = 0;

    if (d->prompts)
        rec_buf_str(&d->out, "\n");
    term_ranking(&d->out, &d->scene, &d->look, &d->style);
    if (d->o->plot != PLOT_REWARD)
        rc = term_cands(d, e);
    return rc;
}

/* The one candidate of an SVG: the one asked for, else the best. */
static int svg_group(struct draw *d, struct err *e)
{
    const struct opts *o = d->o;
    const struct scene *s = &d->scene;
    const struct scene_cand *c =
        o->cand == SIZE_MAX ? &s->cand[s->order[0]] : scene_find(s, o->cand);
    const int rc = check_cand(d, c, e);

    if (rc < 0)
        return rc;
    if (o->plot != PLOT_REWARD)
        return svg_attn(&d->out, s, c, &d->look, o->whole ? SVG_WHOLE : SVG_USER,
                        o->title, e);
    svg_reward(&d->out, s, o->title);
    return 0;
}

static int html_next(struct draw *d, struct err *e)
{
    if (!d->page)
        html_begin(d);
    return html_group(d, e);
}

int draw_group(struct draw *d, const struct rec_group *g, struct err *e)
{
    int rc;

    if (d->o->plot == PLOT_CURVES)
        return 0;
    if ((rc = scene_read(&d->scene, g, &d->look, e)) < 0)
        return rc;
    d->source = g->rec[0].source;
    rc = d->o->html ? html_next(d, e) : d->o->svg ? svg_group(d, e) : term_group(d, e);
    if (rc < 0)
        return rc;
    d->prompts++;
    return send(d, e);
}

/* ---- the end --------------------------------------------------------------------------- */
static int nothing(const struct draw *d, struct err *e)
{
    if (d->o->plot == PLOT_CURVES)
        return err_set(e, ERR_USAGE,
                       "no metrics in the input: cagsr-update writes some");
    if (d->o->id)
        return err_set(e, ERR_USAGE, "no samples of prompt '%s' in the input",
                       d->o->id);
    return err_set(e, ERR_USAGE, "no samples in the input");
}

/* Curves are asked for, or they are what there is; an SVG is one picture. */
static int wants_curves(const struct draw *d)
{
    if (d->o->plot != PLOT_AUTO)
        return d->o->plot == PLOT_CURVES;
    return !d->o->id && !(d->o->svg && d->prompts);
}

static int draw_curves(struct draw *d, struct err *e)
{
    struct curve_panels p;
    const int rc = curves_panels(&p, &d->curves, d->o->fields, e);

    if (rc < 0)
        return rc;
    if (d->o->svg) {
        svg_curves(&d->out, &p, d->o->title);
    } else {
        if (d->prompts)
            rec_buf_str(&d->out, "\n");
        term_curves(&d->out, &p, &d->style);
    }
    curves_panels_release(&p);
    return send(d, e);
}

int draw_end(struct draw *d, struct err *e)
{
    if (d->o->against) {
        const int rc = curves_against(&d->curves, d->o->against, e);

        if (rc < 0)
            return rc;
    }
    if (d->o->html && (d->prompts || d->curves.n)) {
        const int rc = html_end(d, e);

        return rc < 0 ? rc : send(d, e);
    }
    if (wants_curves(d) && d->curves.n)
        return draw_curves(d, e);
    return d->prompts ? 0 : nothing(d, e);
}
