/*
 * Formatting as Python's: "%s" % x, and "{}".format(x).
 */
#ifndef CAGSR_JINJA_FORMAT_H
#define CAGSR_JINJA_FORMAT_H

#include "jinja/call.h"

/* fmt % arg; a tuple is several arguments, a dictionary serves %(name)s.  ERR_RECORD for
 * arguments that do not fit. */
int format_percent(struct interp *in, const struct str *fmt, struct value arg,
                   struct value *out) MUST_CHECK;

/* fmt.format(...): {} {0} {name} {a.b[c]} {!r} {:>8.3f}. */
int format_braces(struct interp *in, const struct str *fmt, const struct args *a,
                  struct value *out) MUST_CHECK;

#endif
