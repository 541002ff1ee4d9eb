#include "jinja/dict.h"

#include "base/hash.h"

#include <math.h>
#include <string.h>

enum { FEW = 8 }; /* so many pairs are searched one by one */

int dict_new(struct interp *in, struct dict **out)
{
    TRY(interp_take(in, out, 1, sizeof **out));
    **out = (struct dict){0};
    return 0;
}

struct value dict_value(struct dict *d)
{
    return (struct value){.type = V_DICT, .d = d};
}

/* ---- keys -----------------------------------------------------------------------------*/

/* Equal keys have equal hashes: 1, 1.0 and true are one. */
static uint64_t key_hash(struct value k)
{
    double whole;

    switch (k.type) {
    case V_STR: return hash64(k.s->s, k.s->n);
    case V_BOOL:
    case V_INT: return hash64(&k.i, sizeof k.i);
    case V_FLOAT:
        if (modf(k.f, &whole) == 0 && fabs(k.f) < 0x1p62) {
            const int64_t i = (int64_t)k.f;
            return hash64(&i, sizeof i);
        }
        return hash64(&k.f, sizeof k.f);
    case V_TUPLE: {
        uint64_t h = k.l->n;
        for (size_t i = 0; i < k.l->n; i++)
            h = h * 1000003 ^ key_hash(k.l->v[i]);
        return h;
    }
    default: return (uint64_t)k.type;
    }
}

enum { KEY_DEPTH = 16 }; /* tuples within tuples */

static int is_key(struct value k, int depth)
{
    if (k.type == V_TUPLE) {
        for (size_t i = 0; i < k.l->n; i++)
            if (depth == KEY_DEPTH || !is_key(k.l->v[i], depth + 1))
                return 0;
        return 1;
    }
    return k.type == V_NONE || k.type == V_STR || k.type == V_UNDEFINED ||
           value_is_number(k);
}

static int same_key(struct value a, struct value b)
{
    if (a.type == V_STR && b.type == V_STR)
        return str_equal(a.s, b.s);
    if (value_is_number(a) && value_is_number(b)) {
        if (a.type != V_FLOAT && b.type != V_FLOAT)
            return a.i == b.i;
        return value_double(a) == value_double(b);
    }
    if (a.type != b.type)
        return 0;
    if (a.type != V_TUPLE)
        return a.type == V_NONE || a.type == V_UNDEFINED;
    if (a.l->n != b.l->n)
        return 0;
    for (size_t i = 0; i < a.l->n; i++)
        if (!same_key(a.l->v[i], b.l->v[i]))
            return 0;
    return 1;
}

int dict_is_key(struct value v)
{
    return is_key(v, 0);
}

/* ---- the table ------------------------------------------------------------------------*/

/* The slot that has the key, or is free for it. */
static size_t slot_of(const struct dict *d, struct value key)
{
    size_t at = key_hash(key) & (d->nslots - 1);

    while (d->slot[at] && !same_key(d->key[d->slot[at] - 1], key))
        at = (at + 1) & (d->nslots - 1);
    return at;
}

/* The number of the pair, d->n if there is none. */
static size_t find(const struct dict *d, struct value key)
{
    if (d->slot) {
        const uint32_t i = d->slot[slot_of(d, key)];

        return i ? i - 1 : d->n;
    }
    for (size_t i = 0; i < d->n; i++)
        if (same_key(d->key[i], key))
            return i;
    return d->n;
}

static int rehash(struct interp *in, struct dict *d)
{
    d->nslots = 4 * d->cap;
    TRY(interp_take(in, &d->slot, d->nslots, sizeof *d->slot));
    memset(d->slot, 0, d->nslots * sizeof *d->slot);
    for (size_t i = 0; i < d->n; i++)
        d->slot[slot_of(d, d->key[i])] = (uint32_t)i + 1;
    return interp_steps(in, d->n >> 4);
}

static int grow(struct interp *in, struct dict *d)
{
    const size_t cap = d->cap ? 2 * d->cap : 4;
    struct value *key, *val;

    if (cap > UINT32_MAX / 8)
        return interp_fault(in, ERR_RECORD, "a dictionary of %zu keys", d->n);
    TRY(interp_take(in, &key, cap, sizeof *key));
    TRY(interp_take(in, &val, cap, sizeof *val));
    if (d->n > 0) {
        memcpy(key, d->key, d->n * sizeof *key);
        memcpy(val, d->val, d->n * sizeof *val);
    }
    d->key = key;
    d->val = val;
    d->cap = cap;
    return cap > FEW ? rehash(in, d) : 0;
}

int dict_set(struct interp *in, struct dict *d, struct value key, struct value val)
{
    TRY(interp_steps(in, 1));
    if (!dict_is_key(key))
        return interp_fault(in, ERR_RECORD, "a %s cannot be a key",
                            value_type_name(key));
    const size_t i = find(d, key);

    if (i < d->n) {
        d->val[i] = val;
        return 0;
    }
    if (d->n == d->cap)
        TRY(grow(in, d));
    if (d->slot)
        d->slot[slot_of(d, key)] = (uint32_t)d->n + 1;
    d->key[d->n] = key;
    d->val[d->n++] = val;
    return 0;
}

int dict_set_lit(struct interp *in, struct dict *d, const char *key, struct value val)
{
    const struct str *s;

    TRY(str_lit(in, key, &s));
    return dict_set(in, d, value_str(s), val);
}

const struct value *dict_get(const struct dict *d, struct value key)
{
    const size_t i = dict_is_key(key) ? find(d, key) : d->n;

    return i < d->n ? &d->val[i] : NULL;
}

const struct value *dict_get_lit(const struct dict *d, const char *key)
{
    const struct str s = {.s = key, .n = strlen(key)};

    return dict_get(d, value_str(&s));
}

/* ---- wholes ---------------------------------------------------------------------------*/

int dict_update(struct interp *in, struct dict *d, const struct dict *from)
{
    for (size_t i = 0; i < from->n; i++)
        TRY(dict_set(in, d, from->key[i], from->val[i]));
    return 0;
}

int dict_fill(struct interp *in, struct dict *d, struct value v)
{
    const struct value *items, *pair;
    size_t n, two;

    if (v.type == V_DICT)
        return dict_update(in, d, v.d);
    TRY(value_iterate(in, v, &items, &n));
    for (size_t i = 0; i < n; i++) {
        TRY(value_iterate(in, items[i], &pair, &two));
        if (two != 2)
            return interp_fault(in, ERR_RECORD,
                                "a dictionary from elements of %zu, 2 expected", two);
        TRY(dict_set(in, d, pair[0], pair[1]));
    }
    return 0;
}

int dict_view(struct interp *in, const struct dict *d, enum value_type view,
              enum value_type type, struct value *out)
{
    TRY(value_seq(in, type, d->n, out));
    for (size_t i = 0; i < d->n; i++) {
        struct value pair;

        if (view != V_ITEMS) {
            out->l->v[i] = view == V_KEYS ? d->key[i] : d->val[i];
            continue;
        }
        TRY(value_seq(in, V_TUPLE, 2, &pair));
        pair.l->v[0] = d->key[i];
        pair.l->v[1] = d->val[i];
        out->l->v[i] = pair;
    }
    return 0;
}
