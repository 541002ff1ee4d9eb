#include "arch/settings.h"

#include "arch/fields.h"
#include "base/json.h"

static int read_one(char *to, const struct setting *s, const json_t *config,
                    const char *where, struct err *e)
{
    switch (s->kind) {
    case SETTING_SIZE:
        return json_get_size((size_t *)(void *)to, config, s->key, 1, s->hi, where, e);
    case SETTING_MAYBE:
        return json_opt_size((size_t *)(void *)to, config, s->key, 1, s->hi, where, e);
    case SETTING_REAL:
        return fields_positive((float *)(void *)to, config, s->key, where, e);
    case SETTING_BOOL:
        return json_opt_bool((int *)(void *)to, config, s->key, where, e);
    case SETTING_ACT: break;
    }
    return fields_act((enum act *)(void *)to, config, s->key, where, e);
}

int settings_read(struct arch *a, const struct setting *s, const json_t *config,
                  const char *where, struct err *e)
{
    int rc = 0;

    for (; s->key && rc >= 0; s++)
        rc = read_one((char *)a + s->at, s, config, where, e);
    return rc < 0 ? rc : 0;
}

static json_t *value_of(const char *from, enum setting_kind kind)
{
    switch (kind) {
    case SETTING_SIZE:
    case SETTING_MAYBE:
        return json_integer((json_int_t) * (const size_t *)(const void *)from);
    case SETTING_REAL: return json_real((double)*(const float *)(const void *)from);
    case SETTING_BOOL: return json_boolean(*(const int *)(const void *)from);
    case SETTING_ACT: break;
    }
    return json_string(fields_act_name(*(const enum act *)(const void *)from));
}

int settings_write(json_t *config, const struct arch *a, const struct setting *s)
{
    int rc = 0;

    for (; s->key; s++)
        rc |= fields_put(config, s->key, value_of((const char *)a + s->at, s->kind));
    return rc;
}
