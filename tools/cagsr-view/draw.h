/*
 * What the parts of cagsr-view share.
 *
 *   draw.c    which picture of what, and when
 *   inputs.c  files, and whose run each is
 *   html.c    the page: page.html with page.css and page.js, which stand beside it and are
 *             built into the program, and the run as JSON
 */
#ifndef CAGSR_VIEW_DRAW_H
#define CAGSR_VIEW_DRAW_H

#include "cli/cli.h"
#include "rec/stream.h"
#include "view/curves.h"
#include "view/scene.h"
#include "view/term.h"

#include <stddef.h>

enum plot { PLOT_AUTO, PLOT_ATTN, PLOT_REWARD, PLOT_CURVES };

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    int term, svg, html, plot, over, color, ground;
    int all, share, whole;
    size_t prompts, cand, token, layer, head, width; /* SIZE_MAX: not given */
    const char *id, *fields, *title, *against;
    struct cli_list runs;
};

struct draw {
    const struct opts *o;
    int fd;
    struct term_style style;
    struct scene_look look;
    struct scene scene;
    struct curves curves;
    struct rec_buf out;   /* not written yet */
    size_t prompts;       /* drawn */
    size_t stepless;      /* records of metrics that have no step */
    size_t streams;       /* that are read */
    const char *source;   /* the file of the group under way; NULL: standard input */
    struct rec_buf index; /* html: what the list of prompts says */
    const char *page;     /* html: what of page.html is still to come */
};

void draw_begin(struct draw *d, int fd, const struct term_style *style);

/* A group of candidates. */
int draw_group(struct draw *d, const struct rec_group *g, struct err *e) MUST_CHECK;

/* What can be drawn once all was read. */
int draw_end(struct draw *d, struct err *e) MUST_CHECK;
void draw_release(struct draw *d);

/* The page piece by piece into d->out: what stands before the first group, a group, what
 * follows the last. */
void html_begin(struct draw *d);
int html_group(struct draw *d, struct err *e) MUST_CHECK;
int html_end(struct draw *d, struct err *e) MUST_CHECK;

#endif
