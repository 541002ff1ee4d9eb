/*
 * What cagsr-split writes and cagsr-merge reads and removes.
 */
#ifndef CAGSR_SPLIT_FIELD_H
#define CAGSR_SPLIT_FIELD_H

/* The number of the group that a record belongs to, from 0, over the whole stream. */
#define SPLIT_FIELD "split"

#endif
