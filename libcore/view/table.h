/*
 * Metrics from a table: the metrics.tsv and eval.tsv of a run, or anybody's.
 *
 * The first line names the columns, one of them `step`; below it a row for each step,
 * cells between tabulators.  Cells that are empty or no number are passed over.
 */
#ifndef CAGSR_VIEW_TABLE_H
#define CAGSR_VIEW_TABLE_H

#include "view/curves.h"

/* 1 if a file of that name is taken for a table: it ends in ".tsv". */
int table_is(const char *path);

/* Adds the numbers of a table of n bytes, text[n] being NUL.  path is what errors call it,
 * and metrics of another file than metrics.tsv have its name in front: "eval/reward" of
 * eval.tsv.  ERR_FILE, ERR_NOMEM. */
int table_add(struct curves *c, const char *text, size_t n, const char *path,
              const char *set, size_t run, struct err *e) MUST_CHECK;

#endif
