/*
 * Directory trees: list one level, sync everything, remove everything.  Links are never
 * followed.
 */
#ifndef CAGSR_IO_TREE_H
#define CAGSR_IO_TREE_H

#include "base/err.h"

/* fn for every name in dir but "." and "..", in no order; stops at the first that is not
 * 0 and returns it.  fn may remove what it is given.  ERR_IO. */
int tree_list(const char *dir, int (*fn)(void *ctx, const char *name, struct err *e),
              void *ctx, struct err *e) MUST_CHECK;

/* fsync of every file and directory in path, itself last.  ERR_IO. */
int tree_sync(const char *path, struct err *e) MUST_CHECK;

/* Removes path, whatever it is, and all below it; that it is not there is no error.
 * ERR_IO; goes on as far as it can. */
int tree_remove(const char *path, struct err *e) MUST_CHECK;

/* A descriptor of the directory that holds its lock (flock), which ends with close or
 * with the process; -1 if the directory is not there or somebody else has the lock. */
int tree_lock(const char *path);

#endif
