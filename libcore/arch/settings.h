/*
 * What a family reads of config.json into struct arch, and writes back, as one table:
 *
 *     static const struct setting settings[] = {
 *         {"hidden_size", SETTING_SIZE, SETTING_AT(C), ARCH_WIDTH_MAX},
 *         {"layer_norm_eps", SETTING_REAL, SETTING_AT(norm_eps)},
 *         {0}};
 *
 * Private to arch/.
 */
#ifndef CAGSR_ARCH_SETTINGS_H
#define CAGSR_ARCH_SETTINGS_H

#include "arch/arch.h"

/* Absent members leave what is there, but for the first kind. */
enum setting_kind {
    SETTING_SIZE,  /* size_t in 1..hi, required */
    SETTING_MAYBE, /* the same, optional */
    SETTING_REAL,  /* float above 0 */
    SETTING_BOOL,  /* int */
    SETTING_ACT,   /* enum act */
};

struct setting {
    const char *key; /* NULL: the table's end */
    enum setting_kind kind;
    size_t at; /* of the member of struct arch */
    size_t hi;
};
#define SETTING_AT(member) offsetof(struct arch, member)

/* ERR_FILE, with file, key and what was expected. */
int settings_read(struct arch *a, const struct setting *s, const json_t *config,
                  const char *where, struct err *e) MUST_CHECK;

/* All of them; not 0 without memory. */
int settings_write(json_t *config, const struct arch *a, const struct setting *s);

#endif
