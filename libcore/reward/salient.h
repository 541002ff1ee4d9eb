/*
 * Which prompt tokens count, found in the prompt's text alone: no tokenizer is needed,
 * for the record says where in the text each token ends.
 *
 * Support V (G5): the user's own tokens (prompt_mask) without position 0, without those
 * that are only punctuation or white space, and without empty ones.
 *
 * Salient groups (G6, F11): the content-word types of the user's text.  The pieces of a
 * word and all places of a type are one group; its weight is the type's idf.  A stop
 * word is no content, unless it holds a digit or has a capital inside a sentence (and is
 * not "I"): "in May", "the Who".
 */
#ifndef CAGSR_REWARD_SALIENT_H
#define CAGSR_REWARD_SALIENT_H

#include "reward/coverage.h"
#include "reward/df.h"
#include "reward/words.h"

enum salient_mode {
    SALIENT_IDF,      /* all content words */
    SALIENT_SENTENCE, /* those of the sentences that hold the prompt's top tf-idf word,
                         at their places in these sentences; of all such sentences where
                         several words are top */
    SALIENT_TOP, /* the half of highest idf, at most 32, at least 1, and words with a
                         digit, quoted or with a capital inside a sentence in any case */
};
extern const char *const salient_mode_names[]; /* idf, sentence, top, NULL */

/* A prompt as a record carries it. */
struct prompt_text {
    const char *text; /* UTF-8 */
    size_t n;
    const uint32_t *ends; /* (P) ascending, at most n */
    size_t P;
    const unsigned char *mask; /* (P) 1 = the user's; NULL: all of it */
    int no_sink; /* position 0 is a token like any other: an encoder's output, where no
                    row sees less than the whole prompt (METHOD 2.7) */
};

struct salient_rules {
    enum salient_mode mode;
    const struct df *df;       /* NULL: every idf is 1 */
    const struct strtab *stop; /* stop words; NULL: word_is_stop, English */
};

/* Zeroed is empty; memory is kept from prompt to prompt. */
struct salient {
    struct salient_group *group; /* (n) */
    size_t *type;                /* (n) index into words.types: what to call it */
    size_t n;
    /* private */
    uint32_t *pool;
    size_t cap, pool_cap;
};
void salient_release(struct salient *s);

/* support (P) out: V. */
void salient_support(unsigned char *support, const struct prompt_text *p);

/* w is emptied and gets the words of the user's text, run by run of its tokens: a run
 * ends a sentence. */
int salient_words(struct words *w, const struct prompt_text *p,
                  struct err *e) MUST_CHECK;

/* s is emptied and gets the groups of the words w, in the order in which their types
 * first occur; positions outside the support are left out already, weights are idf, not
 * yet divided.  No groups: the prompt has no content word in V. */
int salient_pick(struct salient *s, const struct words *w, const struct prompt_text *p,
                 const unsigned char *support, const struct salient_rules *rules,
                 struct err *e) MUST_CHECK;

#endif
