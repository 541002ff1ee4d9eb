/*
 * --exec CMD: the records go through a process of the user's before they are scored.
 *
 *     input -> [feeder thread] -> CMD's stdin    CMD's stdout -> [main thread]
 *
 * The feeder writes whatever CMD is ready to take while the main thread reads whatever it
 * answers, so no amount of buffering on any side can lock the three up: CMD may answer
 * record by record or read everything first.
 *
 * A watchman counts the seconds in which we wait for CMD although it has all it could
 * ask for: its input is at its end, or its pipe is full.  A slow producer upstream or a
 * slow reader downstream is not CMD's fault and stops the clock.  These two threads move
 * bytes and wait; what is computed does not depend on them.
 */
#include "run.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum feeding {
    FEED_READS,  /* waits for the producer upstream */
    FEED_WRITES, /* waits for CMD, or has just begun to write */
    FEED_DONE,   /* CMD's input is closed */
};

struct coprocess {
    const struct opts *o;
    struct rec_reader *in, *answers;
    struct rec_pg pg;
    pid_t pid;
    int to, from; /* our ends of the pipes; -1: closed */
    char path[32];
    const char *files[1]; /* the reader keeps it */
    struct rec_limits limits;
    pthread_t feeder, watchman;
    int feeding, watching; /* threads that were started */
    atomic_int state, waiting, over, timed_out;
    atomic_uint progress; /* counts what the feeder and the reader get done */
    int rc;               /* the feeder's result */
    int upstream;         /* 1: it was reading that failed */
    struct err err;
};

/* ---- the feeder ------------------------------------------------------------------------ */
/* An end without a checksum: CMD may change records and pass the end on as it is. */
static int put_end(struct coprocess *c, struct err *e)
{
    static const char end[] = "\x82\xa4kind\xa3"
                              "end\xa6status\xa2ok";

    return c->o->exec_format == EXEC_JSON
               ? 0
               : file_write_all(c->to, end, sizeof end - 1, "--exec", e);
}

static int feed_all(struct coprocess *c, struct rec_writer *w, struct err *e)
{
    struct rec *r;
    int rc;

    if (c->o->exec_format == EXEC_JSON)
        rec_writer_json(w, REC_JSON_EXACT, REC_LINES_RECORDS);
    for (;;) {
        atomic_store(&c->state, FEED_READS);
        rc = rec_reader_next(c->in, &r, e);
        if (rc < 0)
            c->upstream = 1;
        atomic_store(&c->state, FEED_WRITES);
        if (rc <= 0)
            break;
        if ((rc = rec_writer_put(w, r, e)) < 0)
            return rc;
        atomic_fetch_add(&c->progress, 1);
    }
    if (rc >= 0)
        rc = rec_writer_flush(w, e);
    return rc < 0 ? rc : put_end(c, e);
}

static void *feeder(void *ctx)
{
    struct coprocess *c = ctx;
    struct rec_writer *w = NULL;
    sigset_t pipe;

    /* A CMD that stops reading is an error of ours to tell, not our end. */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    c->rc = rec_writer_new(&w, c->to, c->in, &c->pg, &c->o->limits, &c->err);
    if (c->rc >= 0)
        c->rc = feed_all(c, w, &c->err);
    rec_writer_free(w);
    close(c->to);
    c->to = -1;
    atomic_store(&c->state, FEED_DONE);
    return NULL;
}

/* ---- the watchman ---------------------------------------------------------------------- */
static void *watchman(void *ctx)
{
    enum { TICK_MS = 50 };
    struct coprocess *c = ctx;
    const struct timespec tick = {0, TICK_MS * 1000000};
    unsigned seen = atomic_load(&c->progress);
    double idle = 0;

    while (!atomic_load(&c->over)) {
        nanosleep(&tick, NULL);
        const unsigned now = atomic_load(&c->progress);
        const int its_turn =
            atomic_load(&c->waiting) && atomic_load(&c->state) != FEED_READS;

        idle = its_turn && now == seen ? idle + TICK_MS / 1000.0 : 0;
        seen = now;
        if (idle >= c->o->exec_timeout) {
            atomic_store(&c->timed_out, 1);
            kill(-c->pid, SIGKILL);
            return NULL;
        }
    }
    return NULL;
}

void coprocess_waiting(struct coprocess *c, int waiting)
{
    if (!c)
        return;
    atomic_store(&c->waiting, waiting);
    atomic_fetch_add(&c->progress, 1);
}

/* ---- start and end --------------------------------------------------------------------- */
static void child(const char *command, int in, int out)
{
    setpgid(0, 0); /* so that all of a shell's pipeline can be ended */
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        _exit(126);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static int spawn(struct coprocess *c, struct err *e)
{
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) < 0)
        return err_set(e, ERR_IO, "--exec: pipe: %s", strerror(errno));
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        return err_set(e, ERR_IO, "--exec: pipe: %s", strerror(errno));
    }
    c->pid = fork();
    if (c->pid == 0)
        child(c->o->exec, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    c->to = in[1];
    c->from = out[0];
    if (c->pid < 0)
        return err_set(e, ERR_IO, "--exec: fork: %s", strerror(errno));
    setpgid(c->pid, c->pid);
    return 0;
}

int coprocess_start(struct coprocess **out, const struct opts *o, struct rec_reader *in,
                    const struct rec_pg *pg, struct err *e)
{
    struct coprocess *c = calloc(1, sizeof *c);
    int rc;

    *out = c;
    if (!c)
        return err_set(e, ERR_NOMEM, "no memory for a co-process");
    *c = (struct coprocess){.o = o, .in = in, .pg = *pg, .to = -1, .from = -1};
    if ((rc = spawn(c, e)) < 0)
        return rc;
    /* Whether its answer is whole its exit status says, not an end record. */
    c->limits = o->limits;
    c->limits.allow_truncated = 1;
    c->limits.lines = 1;
    snprintf(c->path, sizeof c->path, "/dev/fd/%d", c->from);
    c->files[0] = c->path;
    if ((rc = rec_reader_new(&c->answers, c->files, 1, &c->limits, e)) < 0)
        return rc;
    if (pthread_create(&c->feeder, NULL, feeder, c) != 0)
        return err_set(e, ERR_NOMEM, "--exec: no thread");
    c->feeding = 1;
    if (o->exec_timeout > 0 && pthread_create(&c->watchman, NULL, watchman, c) != 0)
        return err_set(e, ERR_NOMEM, "--exec: no thread");
    c->watching = o->exec_timeout > 0;
    return 0;
}

struct rec_reader *coprocess_reader(struct coprocess *c)
{
    return c->answers;
}

/* Waits for CMD; 0, or what became of it. */
static int reap(struct coprocess *c, struct err *e)
{
    int status;

    while (waitpid(c->pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(e, ERR_IO, "--exec: wait: %s", strerror(errno));
    if (atomic_load(&c->timed_out))
        return err_set(e, ERR_IO, "--exec '%.128s': no answer within %g seconds",
                       c->o->exec, c->o->exec_timeout);
    if (WIFSIGNALED(status))
        return err_set(e, ERR_IO, "--exec '%.128s': killed by signal %d", c->o->exec,
                       WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return err_set(e, ERR_IO, "--exec '%.128s': exit status %d", c->o->exec,
                       WEXITSTATUS(status));
    return 0;
}

/* The first cause is told: a producer that failed upstream, then CMD, then what we made
 * of its answer. */
int coprocess_end(struct coprocess *c, int rc, struct err *e)
{
    struct err its = {0};
    int ended = 0;

    if (!c)
        return rc;
    if (rc < 0 && c->pid > 0)
        kill(-c->pid, SIGKILL); /* we stop reading: it may wait for us for ever */
    if (c->from >= 0)
        close(c->from);
    if (!c->feeding && c->to >= 0)
        close(c->to);
    if (c->feeding)
        pthread_join(c->feeder, NULL);
    if (c->pid > 0)
        ended = reap(c, &its);
    atomic_store(&c->over, 1);
    if (c->watching)
        pthread_join(c->watchman, NULL);
    if (c->upstream) {
        *e = c->err;
        rc = c->rc;
    } else if (ended < 0 && (rc >= 0 || atomic_load(&c->timed_out))) {
        *e = its;
        rc = ended;
    } else if (rc >= 0 && c->rc < 0) {
        rc = err_set(e, ERR_IO,
                     "--exec '%.128s': stopped reading before the end: %.300s",
                     c->o->exec, c->err.text);
    }
    return rc;
}

void coprocess_free(struct coprocess *c)
{
    if (!c)
        return;
    rec_reader_free(c->answers);
    free(c);
}
