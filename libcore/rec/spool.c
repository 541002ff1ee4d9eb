#include "rec/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int rec_spool_open(struct rec_spool *s, const struct rec_reader *in,
                   const struct rec_limits *limits, struct err *e)
{
    const char *dir = getenv("TMPDIR");
    char path[512];

    *s = (struct rec_spool){.fd = -1};
    snprintf(path, sizeof path, "%s/cagsr.XXXXXX", dir && *dir ? dir : "/tmp");
    s->fd = mkostemp(path, O_CLOEXEC);
    if (s->fd < 0)
        return err_set(e, ERR_IO, "%s: cannot make a temporary file", path);
    unlink(path);
    return rec_writer_new(&s->w, s->fd, in, NULL, limits, e);
}

int rec_spool_put(struct rec_spool *s, const struct rec *r, struct err *e)
{
    return rec_writer_put(s->w, r, e);
}

int rec_spool_read(struct rec_reader **out, struct rec_spool *s,
                   const struct rec_limits *limits, struct err *e)
{
    static const char *const files[] = {"-"};
    const int rc = rec_writer_end(s->w, 0, e);

    if (rc < 0)
        return rc;
    if (lseek(s->fd, 0, SEEK_SET) < 0 || dup2(s->fd, STDIN_FILENO) < 0)
        return err_set(e, ERR_IO, "the temporary file cannot be read");
    return rec_reader_new(out, files, 1, limits, e);
}

void rec_spool_close(struct rec_spool *s)
{
    rec_writer_free(s->w);
    if (s->fd >= 0)
        close(s->fd);
    *s = (struct rec_spool){.fd = -1};
}
