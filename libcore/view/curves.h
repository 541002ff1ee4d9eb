/*
 * Curves: the numbers of metric records over steps, or against one of them, from one run or
 * several.
 *
 * A point is (set, metric, step, value).  Runs of one set stand together: at each step the
 * line is their mean, the band one standard deviation (n - 1 below) to both sides.  A set
 * of one run has no band.  Steps are the records' own; a step that came twice in one run
 * counts as it came last.
 *
 * Which metrics are shown: those of a list of names, or the table in curves.c (reward and
 * components, KL, entropy, length, clipping, whatever an evaluation put there), as far as
 * they occur; or, if none of these occurs, all; at most CURVES_PANELS.
 */
#ifndef CAGSR_VIEW_CURVES_H
#define CAGSR_VIEW_CURVES_H

#include "base/err.h"
#include "rec/record.h"
#include "reward/strtab.h"

#include <stddef.h>
#include <stdint.h>

enum { CURVES_PANELS = 256 };

struct curve_point {
    uint32_t set, run, metric;
    uint32_t order; /* as it came */
    double step, value;
    double x; /* where it is drawn: its step, until curves_against */
};

/* Zeroed is empty. */
struct curves {
    struct strtab metrics, sets;
    struct curve_point *point;
    size_t n, cap;
    size_t against; /* 0: steps; else 1 + the metric */
};

/* Adds the finite numbers of a metric record; run numbers the runs of all sets.  1, or 0
 * for a record without a step, of which there is nothing to draw.  ERR_NOMEM. */
int curves_add(struct curves *c, const struct rec *r, const char *set, size_t run,
               struct err *e) MUST_CHECK;

/* Adds one number: p has run, step and value.  ERR_NOMEM. */
int curves_put(struct curves *c, struct curve_point p, struct rec_str metric,
               const char *set, struct err *e) MUST_CHECK;

/* From now on points lie where another metric of the same set, run and step has its value;
 * points without one are dropped.  ERR_USAGE for a name that never occurred; ERR_NOMEM. */
int curves_against(struct curves *c, const char *metric, struct err *e) MUST_CHECK;

void curves_release(struct curves *c); /* zeroes it */

/* One line with its band. */
struct curve_at {
    double x, mean,
        sd; /* x: the step, or the mean of what stands for it; sd 0: one run */
    size_t runs;
};
struct curve {
    const char *set;
    struct curve_at *at;
    size_t n;
};

/* One metric with a line per set: what a panel shows.  Names are borrowed from the
 * curves. */
struct curve_panel {
    const char *metric;
    char title[64];
    struct curve *line;
    size_t n;
    double x[2], y[2]; /* what lines and bands span */
};
struct curve_panels {
    struct curve_panel *panel;
    size_t n;
    char against[64]; /* the title of what they are drawn against; "": steps */
};

/* The panels of the metrics in `names` (separated by commas; NULL: the table's).  ERR_USAGE
 * for a name that never occurred. */
int curves_panels(struct curve_panels *out, const struct curves *c, const char *names,
                  struct err *e) MUST_CHECK;
void curves_panels_release(struct curve_panels *p); /* zeroes it */

#endif
