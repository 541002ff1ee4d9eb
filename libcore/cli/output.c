#include "cli/cli.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_stdout(struct cli_output *out, const struct cli_common *c,
                       struct err *e)
{
    *out = (struct cli_output){.fd = STDOUT_FILENO};
    if (isatty(STDOUT_FILENO) && !c->force)
        return err_set(
            e, ERR_USAGE,
            "records are binary and standard output is a terminal: pipe them "
            "into cagsr-cat, name a file with -o, or use -f");
    return 0;
}

int cli_output_open(struct cli_output *out, const struct cli_common *c, struct err *e)
{
    struct stat st;

    if (!c->output || strcmp(c->output, "-") == 0)
        return open_stdout(out, c, e);
    *out = (struct cli_output){.fd = -1};
    if (stat(c->output, &st) == 0 && !S_ISREG(st.st_mode)) {
        /* a device or a named pipe is written in place: it cannot be renamed over */
        out->fd = open(c->output, O_WRONLY | O_CLOEXEC);
        return out->fd < 0 ? err_set(e, ERR_IO, "%s: %s", c->output, strerror(errno))
                           : 0;
    }
    const size_t n = strlen(c->output) + 8;
    out->path = strdup(c->output);
    out->tmp = malloc(n);
    if (out->path && out->tmp) {
        snprintf(out->tmp, n, "%s.XXXXXX", out->path);
        out->fd = mkostemp(out->tmp, O_CLOEXEC);
    }
    if (out->fd >= 0)
        return 0;
    const int rc = err_set(e, ERR_IO, "%s: %s", c->output, strerror(errno));
    free(out->path);
    free(out->tmp);
    *out = (struct cli_output){.fd = -1};
    return rc;
}

/* Puts the finished file in its place. */
static int settle(const struct cli_output *out, struct err *e)
{
    if (fchmod(out->fd, 0644) < 0 || fsync(out->fd) < 0)
        return err_set(e, ERR_IO, "%s: %s", out->path, strerror(errno));
    if (rename(out->tmp, out->path) < 0)
        return err_set(e, ERR_IO, "%s: %s", out->path, strerror(errno));
    return 0;
}

int cli_output_close(struct cli_output *out, int rc, struct err *e)
{
    if (out->fd < 0)
        return rc;
    if (out->tmp && rc >= 0)
        rc = settle(out, e);
    /* a network file system reports a full disk only here */
    if (close(out->fd) < 0 && rc >= 0)
        rc = err_set(e, ERR_IO, "%s: %s", out->path ? out->path : "standard output",
                     strerror(errno));
    if (out->tmp && rc < 0)
        unlink(out->tmp);
    free(out->path);
    free(out->tmp);
    *out = (struct cli_output){.fd = -1};
    return rc;
}
