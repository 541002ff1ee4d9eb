/*
 * A group on each of the golden models: a prompt and three responses of different lengths, ids
 * that are in every vocabulary.
 */
#ifndef CAGSR_TESTS_GROUP_FIXTURE_H
#define CAGSR_TESTS_GROUP_FIXTURE_H

#include "machine.h"

#include "model/model.h"

enum { P = 7, N = 3 };
extern const size_t lengths[N];

/* Names of the golden models, and how many there are. */
extern const char *const names[];
extern const size_t NAMES;

struct fixture {
    struct machine mc;
    struct model *m;
    int32_t prompt[P], ids[N][16];
};

/* A failure ends the test.  Without a mode: MODEL_COMPUTE. */
void open_fixture_as(struct fixture *f, const char *name, size_t threads,
                     enum model_mode mode);
void open_fixture(struct fixture *f, const char *name, size_t threads);
/* 0 where there is no machine of these options. */
int open_fixture_on(struct fixture *f, const char *name, size_t threads,
                    const struct kern_opts *o);
void close_fixture(struct fixture *f);

#endif
