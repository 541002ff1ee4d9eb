/*
 * Prompts, one after another: from records (JSON lines, a JSON array, a stream) or lines
 * of text, rendered and tokenised, each with an id of its own.
 *
 * The id is the record's `id` (a number becomes its digits), else the hash of the record's
 * or line's bytes: so it depends neither on where the prompt stands nor on how the input
 * is cut into shards.  An id that comes again gets "-2", "-3" ...: a file given three
 * times is three epochs.
 */
#ifndef CAGSR_SAMPLE_SOURCE_H
#define CAGSR_SAMPLE_SOURCE_H

#include "chat/chat.h"
#include "rec/record.h"
#include "rec/stream.h"

#include <stdio.h>

enum prompt_kind {
    PROMPT_ASK,   /* candidates are wanted */
    PROMPT_OTHER, /* a record that is none of ours: passed on in its place */
};

struct prompt {
    enum prompt_kind kind;
    struct rec rec; /* as it came */
    char *id;
    char *text; /* (ntext) as rendered; "" if there is none */
    size_t ntext;
    int32_t *ids;        /* (P) */
    uint32_t *ends;      /* (P) */
    unsigned char *mask; /* (P) */
    size_t P;
    struct rec_str reference; /* owned; s NULL: none */
    size_t number;            /* among the prompts of this shard, from 0 */
    struct prompt *next;      /* the tool's queue */
};
void prompt_free(struct prompt *p); /* NULL is fine */

enum source_form { SOURCE_RECORDS, SOURCE_TEXT };

struct source_opts {
    enum source_form form;
    const char *const *files; /* borrowed */
    size_t nfiles;
    struct rec_limits limits;
    size_t shard, shards; /* prompts number shard, shard + shards ... (from 0) */
};

struct source;

/* chat is borrowed.  ERR_FILE: a file that is not there. */
int source_new(struct source **out, const struct source_opts *o,
               const struct chat *chat, struct err *e) MUST_CHECK;
void source_free(struct source *s); /* NULL is fine */

/* The records' reader, for the header that is passed on; NULL for text. */
const struct rec_reader *source_reader(const struct source *s);

/* The next prompt of this shard: 1 with *out (the caller's), 0 at the end, ERR_RECORD
 * naming file and record, or the reader's errors. */
int source_next(struct source *s, struct prompt **out, struct err *e) MUST_CHECK;

#endif
