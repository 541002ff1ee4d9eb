/*
 * A conversation as its record has it, before any template: whatever its form, a list of
 * messages that knows which bytes are the user's.  chat.h has the forms.
 */
#ifndef CAGSR_CHAT_TURNS_H
#define CAGSR_CHAT_TURNS_H

#include "jinja/interp.h"
#include "jinja/pool.h"
#include "jinja/value.h"
#include "rec/record.h"

struct turns {
    struct pool pool;
    struct interp in; /* builds in the pool */
    struct values v;  /* messages, V_DICT */
    int talk;         /* of a form that an answer may end */
};

void turns_init(struct turns *t, struct err *e); /* e: for what fails in building */
void turns_release(struct turns *t);

/* Adds a message of plain text, borrowed. */
int turns_add(struct turns *t, const char *role, struct rec_str text) MUST_CHECK;

/* Is there a prompt in any of the forms?  turns_find reads it: ERR_RECORD with record and
 * field named if it is missing or of the wrong type. */
int turns_has_prompt(const struct rec *r);
int turns_find(struct turns *t, const struct rec *r, struct err *e) MUST_CHECK;

/* Reads the messages under `field`: an array of them, or one, with role and content or
 * with from and value.  ERR_RECORD. */
int turns_field(struct turns *t, const struct rec *r, const char *field,
                struct err *e) MUST_CHECK;

/* A template's value from a record's; `who` wrote it: a text, or in a map what is under
 * "text" (the map is a part of a message's content). */
int turns_value(struct interp *in, struct rec_value v, enum str_who who,
                struct value *out) MUST_CHECK;

/* 1 if turn i is of that role. */
int turns_role_is(const struct turns *t, size_t i, const char *role);

/* The content of turn i as one text, be it in parts; NULL if it is none. */
int turns_text(struct turns *t, size_t i, const struct str **out) MUST_CHECK;

/* Takes the assistant's last turn off: 1 with a copy of what it says (malloc'd), 0 if it
 * is not the assistant's, or says nothing. */
int turns_answer(struct turns *t, struct rec_str *out, struct err *e) MUST_CHECK;

/* *out = a copy of a text, malloc'd: 1, or ERR_NOMEM. */
int turns_copy(struct rec_str *out, struct rec_str text, struct err *e) MUST_CHECK;

#endif
