/*
 * Directories that appear whole or not at all, and versions of a policy beside each
 * other.
 *
 *     checkpoint_begin(&c, "policy.2", CHECKPOINT_NEW, e)   makes .policy.2.tmp-PID
 *     ... write files below c.dir ...
 *     checkpoint_commit(&c, e)           fsync of everything, then the rename
 *     checkpoint_abort(&c)               after either: removes what was not committed
 *
 * The unfinished directory is locked (flock) while its writer lives; a later begin for
 * the same name removes those whose writer died.  Killed at any moment, there is either
 * the old state or the new one under the name.
 */
#ifndef CAGSR_IO_CHECKPOINT_H
#define CAGSR_IO_CHECKPOINT_H

#include "base/err.h"

#include <stddef.h>

enum checkpoint_mode {
    CHECKPOINT_NEW,     /* something of that name is an error */
    CHECKPOINT_REPLACE, /* a directory of that name is exchanged at commit */
};

/* A zeroed struct is one that has ended. */
struct checkpoint {
    char *path; /* where it will appear */
    char *dir;  /* where to write until then */
    int lock;   /* descriptor of dir */
    enum checkpoint_mode mode;
    int version; /* 1: it is one of versions beside each other */
};

/* ERR_USAGE: path exists and mode is CHECKPOINT_NEW, or it exists and is no directory;
 * ERR_IO, ERR_NOMEM.  The parent directory must exist. */
int checkpoint_begin(struct checkpoint *c, const char *path, enum checkpoint_mode mode,
                     struct err *e) MUST_CHECK;

/* Makes it appear: every file and directory below c->dir is synced, then renamed, then
 * the parent is synced.  ERR_IO: nothing has appeared, call checkpoint_abort.
 * ERR_USAGE: mode is CHECKPOINT_NEW and the name was taken meanwhile. */
int checkpoint_commit(struct checkpoint *c, struct err *e) MUST_CHECK;

/* Removes what was not committed, frees, zeroes *c.  Fine after commit and on zeros. */
void checkpoint_abort(struct checkpoint *c);

/* A file below c->dir with these n bytes; name may have directories, made as needed
 * ("training/state.json").  ERR_IO. */
int checkpoint_file(const struct checkpoint *c, const char *name, const void *data,
                    size_t n, struct err *e) MUST_CHECK;

/* Copies from/name into the checkpoint if it is there: 1 copied, 0 absent, ERR_IO.  For
 * tokenizer files that the new model shares with the old. */
int checkpoint_copy(const struct checkpoint *c, const char *from, const char *name,
                    struct err *e) MUST_CHECK;

/* The same for all regular files of the directory from/name; links, and directories in it,
 * are passed over. */
int checkpoint_copy_all(const struct checkpoint *c, const char *from, const char *name,
                        struct err *e) MUST_CHECK;

/* "c->dir/name" in malloc'd memory, its directories made; NULL after an error. */
char *checkpoint_join(const struct checkpoint *c, const char *name, struct err *e);

/* ---- versions: DIR/v000012/ and the link DIR/current -------------------------------
 */

/* Begins DIR/v<version>; DIR is made if it is not there.  Otherwise checkpoint_begin: a
 * version of that number is an error, unless it is newer than current, left by a writer
 * that was killed before it pointed current at it.  One writer at a time. */
int checkpoint_version_begin(struct checkpoint *c, const char *dir, size_t version,
                             struct err *e) MUST_CHECK;

/* Commits it and points DIR/current at it, in one rename. */
int checkpoint_version_commit(struct checkpoint *c, struct err *e) MUST_CHECK;

/* What DIR/current points at: 1 with *version and *path (malloc'd, "DIR/v000012"; may
 * be NULL if not wanted); 0 if there is no DIR or no link yet; ERR_FILE for anything
 * else under that name. */
int checkpoint_current(size_t *version, char **path, const char *dir,
                       struct err *e) MUST_CHECK;

/* Removes all versions but the newest `keep`, the newest `keep_full` of those that hold
 * a training/ directory, and the one that current points at.  A version vanishes from
 * its name before its files go; a reader that has it open keeps what it has mapped.
 * spare: the file of that name in a version that is removed becomes DIR/.spare, for
 * checkpoint_reuse; NULL: there is none, and none is left. */
int checkpoint_prune(const char *dir, size_t keep, size_t keep_full, const char *spare,
                     struct err *e) MUST_CHECK;

/* If c is a version and there is a DIR/.spare that nobody else has open, mapped or linked, moves it to
 * c->dir/name, to be written over: 1.  Else removes it: 0, and the file is to be made.  What is written
 * over memory, or blocks, that a file has already need not wait for new ones: half the time in
 * /dev/shm, a tenth where the system had given the old ones back (tests/bench/RESULTS.md). */
int checkpoint_reuse(const struct checkpoint *c, const char *name,
                     struct err *e) MUST_CHECK;

#endif
