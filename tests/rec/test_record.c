/* Records: fields untouched, in place, in order; getters name record and field. */
#include "rec/record.h"

#include "rec/buf.h"
#include "rec/private.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* {"kind":"sample","x":<ext 5>,"id":"p1","cand":2}, the first key in the longer str8
 * form and cand in a wider one than need be: both must stay as they are. */
static const unsigned char odd[] = "\x84"
                                   "\xd9\x04"
                                   "kind\xa6"
                                   "sample"
                                   "\xa1x\xd4\x05\x7f"
                                   "\xa2id\xa2p1"
                                   "\xa4"
                                   "cand\xcd\x00\x02";
enum { ODD = sizeof odd - 1 };

static void parse(struct rec *r)
{
    struct err e = {0};

    cr_assert_eq(rec_parse(r, odd, ODD, &e), 0, "%s", e.text);
}

Test(record, untouched)
{
    struct rec r = {0};
    struct rec_buf out = {0};

    parse(&r);
    rec_append(&out, &r);
    cr_assert_eq(out.n, ODD);
    cr_assert_arr_eq(out.p, odd, ODD);
    rec_buf_release(&out);
    rec_release(&r);
}

Test(record, set_replaces_in_place_and_appends)
{
    struct rec r = {0};
    struct rec_buf out = {0};
    static const unsigned char want[] =
        "\x85"
        "\xd9\x04"
        "kind\xa6"
        "sample"
        "\xa1x\xd4\x05\x7f"
        "\xa2id\xa5other"
        "\xa4"
        "cand\xcd\x00\x02"
        "\xa6reward\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00";

    parse(&r);
    rec_set_str(&r, "id", "a longer one that goes");
    rec_set_f64(&r, "reward", 1.5);
    rec_set_str(&r, "id", "other");
    rec_append(&out, &r);
    cr_assert_eq(out.n, sizeof want - 1);
    cr_assert_arr_eq(out.p, want, out.n);
    rec_buf_release(&out);
    rec_release(&r);
}

Test(record, set_from_itself)
{
    struct rec r = {0};
    struct rec_str s;
    char key[32];

    parse(&r);
    rec_set_str(&r, "a", "text");
    for (int i = 0; i < 200; i++) { /* the edit buffer moves again and again */
        snprintf(key, sizeof key, "copy%d", i);
        rec_set_value(&r, key, rec_find(&r, "a"));
    }
    cr_assert_eq(rec_get_str(&r, "copy199", &s, NULL), 0);
    cr_assert(rec_str_is(s, "text"));
    rec_release(&r);
}

Test(record, copy_stands_alone)
{
    struct rec r = {0}, c = {0};
    unsigned char bytes[ODD];
    struct rec_str s;

    memcpy(bytes, odd, ODD);
    cr_assert_eq(rec_parse(&r, bytes, ODD, NULL), 0);
    rec_set_str(&r, "id", "p2");
    cr_assert_eq(rec_copy(&c, &r, NULL), 0);
    rec_release(&r);
    memset(bytes, 0xc1, ODD);
    cr_assert_eq(rec_get_str(&c, "id", &s, NULL), 0);
    cr_assert(rec_str_is(s, "p2"));
    cr_assert(rec_is(&c, "sample"));
    rec_release(&c);
}

Test(record, remove)
{
    struct rec r = {0};

    parse(&r);
    rec_remove(&r, "x");
    rec_remove(&r, "never there");
    cr_assert_eq(rec_find(&r, "x").at, NULL);
    cr_assert_eq(r.nfields, 3);
    rec_release(&r);
}

Test(record, getters)
{
    struct rec r = {0};
    struct err e = {0};
    struct rec_str s;
    uint64_t u;
    double d = 7;

    parse(&r);
    r.number = 12;
    r.source = "run.rec";
    cr_assert_eq(rec_get_uint(&r, "cand", &u, &e), 0);
    cr_assert_eq(u, 2);
    cr_assert_eq(rec_opt_f64(&r, "reward", &d, &e), 0);
    cr_assert_eq(d, 7);
    cr_assert_eq(rec_get_f64(&r, "cand", &d, &e), 0); /* an integer is a number */
    cr_assert_eq(d, 2);
    cr_assert_eq(rec_get_uint(&r, "id", &u, &e), ERR_RECORD);
    cr_assert_str_eq(e.text,
                     "run.rec: record 12: field 'id': a string, expected an integer");
    cr_assert_eq(rec_get_str(&r, "text", &s, &e), ERR_RECORD);
    cr_assert_str_eq(e.text,
                     "run.rec: record 12: field 'text': missing, expected a string");
    rec_set_nil(&r, "text");
    cr_assert_eq(rec_opt_str(&r, "text", &s, &e), 0);
    rec_set_text(&r, "text", "\xed\xa0\x80", 3); /* a surrogate */
    cr_assert_eq(rec_opt_str(&r, "text", &s, &e), ERR_RECORD);
    rec_set_int(&r, "cand", -1);
    cr_assert_eq(rec_get_uint(&r, "cand", &u, &e), ERR_RECORD);
    rec_release(&r);
}

Test(record, arrays)
{
    struct rec r = {0};
    struct rec_buf buf = {0};
    const int32_t ids[] = {0, -1, 127, 128, 65536, INT32_MAX, INT32_MIN};
    const float f[] = {-0.0f, 1.0f / 3, -1e-30f};
    const int32_t *i32;
    const float *f32;
    const uint32_t *u32;
    struct err e = {0};
    size_t n;

    rec_set_i32s(&r, "ids", ids, 7);
    rec_set_f32s(&r, "logp", f, 3);
    cr_assert_eq(rec_get_i32s(&r, "ids", &buf, &i32, &n, &e), 0);
    cr_assert_eq(n, 7);
    cr_assert_arr_eq(i32, ids, sizeof ids);
    cr_assert_eq(rec_get_f32s(&r, "logp", &buf, &f32, &n, &e), 0);
    cr_assert_eq(n, 3);
    cr_assert_arr_eq(f32, f, sizeof f);
    cr_assert_eq(rec_opt_u32s(&r, "ids", &buf, &u32, &n, &e), ERR_RECORD);
    cr_assert(strstr(e.text, "field 'ids': element 1"), "%s", e.text);
    cr_assert_eq(rec_opt_i32s(&r, "logp", &buf, &i32, &n, &e), ERR_RECORD);

    /* The same as one-dimensional tensors, as numpy users write them. */
    rec_begin(&r, "ids");
    rec_put_tensor(&r, &(struct rec_tensor){.dtype = REC_TENSOR_I4,
                                            .rank = 1,
                                            .shape = {7},
                                            .count = 7,
                                            .data = (const unsigned char *)ids});
    rec_end(&r);
    cr_assert_eq(rec_get_i32s(&r, "ids", &buf, &i32, &n, &e), 0, "%s", e.text);
    cr_assert_eq(n, 7);
    cr_assert_arr_eq(i32, ids, sizeof ids);
    cr_assert_eq(rec_opt_u32s(&r, "ids", &buf, &u32, &n, &e), ERR_RECORD);
    rec_buf_release(&buf);
    rec_release(&r);
}

enum { I32, U32, F32, ARRAYS };

/* Whatever form an element has in the stream; which arrays may hold it. */
static const struct {
    const char *bytes;
    size_t n;
    int may[ARRAYS];
    double x;
} forms[] = {
#define FORM(bytes, i32, u32, f32, x)                                                  \
    {                                                                                  \
        bytes, sizeof(bytes) - 1, {i32, u32, f32}, x                                   \
    }
    FORM("\x00", 1, 1, 1, 0),
    FORM("\x7f", 1, 1, 1, 127),
    FORM("\xcc\x80", 1, 1, 1, 128),
    FORM("\xcc\x05", 1, 1, 1, 5), /* wider than need be, here and below */
    FORM("\xcd\xfe\xdc", 1, 1, 1, 0xfedc),
    FORM("\xce\x7f\xff\xff\xff", 1, 1, 1, 0x7fffffff),
    FORM("\xce\x80\x00\x00\x01", 0, 1, 1, 0x80000001),
    FORM("\xcf\x00\x00\x00\x00\x01\x23\x45\x67", 1, 1, 1, 0x1234567),
    FORM("\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 0, 0, 1, 0x1p32),
    FORM("\xff", 1, 0, 1, -1),
    FORM("\xd0\x80", 1, 0, 1, -128),
    FORM("\xd0\x05", 1, 1, 1, 5),
    FORM("\xd1\x80\x01", 1, 0, 1, -32767),
    FORM("\xd2\x80\x00\x00\x00", 1, 0, 1, -0x1p31),
    FORM("\xd3\xff\xff\xff\xff\xff\xff\xff\xfe", 1, 0, 1, -2),
    FORM("\xca\xc0\x49\x0f\xdb", 0, 0, 1, (double)-3.14159274f),
    FORM("\xcb\x3f\xd5\x55\x55\x60\x00\x00\x00", 0, 0, 1, (double)(1.0f / 3)),
    FORM("\xc0", 0, 0, 0, 0),
    FORM("\xc3", 0, 0, 0, 1),
    FORM("\xa1\x37", 0, 0, 0, 7),
    FORM("\x91\x05", 0, 0, 0, 5),
};

/* The two elements of x as the array's type has them. */
static int two_of(double out[2], const struct rec *r, int array, struct rec_buf *buf,
                  struct err *e)
{
    const int32_t *i32 = NULL;
    const uint32_t *u32 = NULL;
    const float *f32 = NULL;
    size_t n = 0;
    const int rc = array == I32   ? rec_opt_i32s(r, "x", buf, &i32, &n, e)
                   : array == U32 ? rec_opt_u32s(r, "x", buf, &u32, &n, e)
                                  : rec_opt_f32s(r, "x", buf, &f32, &n, e);

    for (size_t i = 0; i < 2 && rc > 0; i++)
        out[i] = array == I32 ? i32[i] : array == U32 ? u32[i] : (double)f32[i];
    cr_expect_eq(n, 2);
    return rc;
}

Test(record, every_form_of_an_element)
{
    struct rec r = {0};
    struct rec_buf buf = {0};
    struct err e = {0};
    double x[2] = {0};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        rec_begin(&r, "x");
        rec_put_array(&r, 2);
        rec_put_value(
            &r, (struct rec_value){(const unsigned char *)forms[i].bytes, forms[i].n});
        rec_put_int(&r, 7);
        rec_end(&r);
        for (int array = 0; array < ARRAYS; array++) {
            const double want = array == F32 ? (double)(float)forms[i].x : forms[i].x;
            const int rc = two_of(x, &r, array, &buf, &e);

            cr_expect_eq(rc, forms[i].may[array] ? 1 : ERR_RECORD, "form %zu, array %d",
                         i, array);
            if (rc > 0)
                cr_expect(x[0] == want && x[1] == 7, "form %zu, array %d: %g, %g", i,
                          array, x[0], x[1]);
        }
    }
    rec_buf_release(&buf);
    rec_release(&r);
}

/* Members in one walk: those under str keys, the first of two. */
Test(record, members)
{
    static const unsigned char map[] = "\x85\xa1"
                                       "b\x01\xa1"
                                       "a\x02\xc4\x01"
                                       "c\x03\xa1"
                                       "b\x04\xa2"
                                       "bb\x05";
    static const char *const key[] = {"a", "b", "c", "d"};
    const struct rec_value v = {map, sizeof map - 1}, none = {map + 3, 1};
    struct rec_value m[4];
    uint64_t x;

    rec_value_members(m, v, key, 4);
    cr_expect(rec_value_uint(&x, m[0]) == 0 && x == 2);
    cr_expect(rec_value_uint(&x, m[1]) == 0 && x == 1);
    cr_expect_eq(rec_value_type(m[2]), REC_NONE);
    cr_expect_eq(rec_value_type(m[3]), REC_NONE);
    cr_expect_eq(rec_value_uint(&x, rec_value_member(v, "bb")), 0);
    cr_expect_eq(x, 5);
    rec_value_members(m, none, key, 4);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(rec_value_type(m[i]), REC_NONE);
}

static struct rec_value value(const char *bytes, size_t n)
{
    return (struct rec_value){(const unsigned char *)bytes, n};
}

Test(record, tensors)
{
    struct rec r = {0};
    const float f[] = {1, 2, 3, 4, 5, 6};
    float back[6];
    struct rec_tensor t;
    struct err e = {0};

    rec_begin(&r, "rows");
    rec_put_tensor_f32(&r, f, 2, (size_t[]){2, 3});
    rec_end(&r);
    cr_assert_eq(rec_opt_tensor(&r, "rows", &t, &e), 1, "%s", e.text);
    cr_assert_eq(t.rank, 2);
    cr_assert_eq(t.shape[0], 2);
    cr_assert_eq(t.shape[1], 3);
    rec_tensor_f32(back, &t);
    cr_assert_arr_eq(back, f, sizeof f);
    rec_release(&r);
}

/* Refused: pickled objects, wrong sizes, structured types, products that overflow. */
static const struct {
    const char *what, *bytes;
    size_t n;
} refused[] = {
#define T(type, shape, data)                                                           \
    "\x85\xc4\x02nd\xc3\xc4\x04type" type "\xc4\x04kind\xc4\x00\xc4\x05shape" shape    \
    "\xc4\x04"                                                                         \
    "data" data
#define ROW(w, b)                                                                      \
    {                                                                                  \
        w, b, sizeof(b) - 1                                                            \
    }
    ROW("objects", T("\xa2|O", "\x91\x01", "\xc4\x04....")),
    ROW("big-endian", T("\xa3>f4", "\x91\x01", "\xc4\x04....")),
    ROW("too few bytes", T("\xa3<f4", "\x91\x02", "\xc4\x04....")),
    ROW("too many bytes", T("\xa3<f4", "\x90", "\xc4\x08........")),
    ROW("product overflows",
        T("\xa3<f4",
          "\x94\xce\xff\xff\xff\xff\xce\xff\xff\xff\xff\xce\xff\xff\xff\xff\x04",
          "\xc4\x04....")),
    ROW("negative shape", T("\xa3<f4", "\x91\xff", "\xc4\x04....")),
    ROW("rank nine",
        T("\xa3<f4", "\x99\x01\x01\x01\x01\x01\x01\x01\x01\x01", "\xc4\x04....")),
    ROW("data is text", T("\xa3<f4", "\x91\x01", "\xa4....")),
    ROW("structured type", T("\x91\xa3<f4", "\x91\x01", "\xc4\x04....")),
    ROW("no map", "\x91\x01"),
};

Test(record, refused_tensors)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct rec_tensor t;
        struct err e = {0};

        cr_expect_eq(rec_value_tensor(&t, value(refused[i].bytes, refused[i].n), &e),
                     ERR_RECORD, "%s", refused[i].what);
    }
    struct rec_tensor t;
    const char good[] = T("\xa3<f4", "\x91\x01", "\xc4\x04\x00\x00\x80\x3f");
    cr_assert_eq(rec_value_tensor(&t, value(good, sizeof good - 1), NULL), 0);
}

/* Every half there is, against ldexp. */
Test(record, halves)
{
    for (uint32_t h = 0; h < 65536; h++) {
        const unsigned char p[2] = {(unsigned char)h, (unsigned char)(h >> 8)};
        const struct rec_tensor t = {.dtype = REC_TENSOR_F2, .count = 1, .data = p};
        const int exp = (int)(h >> 10 & 31), frac = (int)(h & 1023);
        float f;
        uint32_t bits;

        rec_tensor_f32(&f, &t);
        memcpy(&bits, &f, sizeof bits);
        if (exp == 31)
            cr_expect(frac ? isnan(f) : isinf(f), "%x", h);
        else
            cr_expect_eq(fabsf(f),
                         (float)ldexp(exp ? 1024 + frac : frac, (exp ? exp : 1) - 25),
                         "%x", h);
        cr_expect_eq(signbit(f) != 0, h >> 15, "%x", h);
        if (exp != 31 || !frac)
            cr_expect_eq(rec_half_of(bits), h, "%x", h);
    }
    float f = 65519.0f; /* rounds to the largest half; 65520 to infinity */
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    cr_expect_eq(rec_half_of(bits), 0x7bff);
    f = 65520.0f;
    memcpy(&bits, &f, sizeof bits);
    cr_expect_eq(rec_half_of(bits), 0x7c00);
}

Test(record, not_records)
{
    static const struct {
        const char *what, *bytes;
        size_t n;
    } bad[] = {
        ROW("an array", "\x91\x01"),
        ROW("a key that is no str", "\x81\x01\x02"),
        ROW("a field twice", "\x82\xa1"
                             "a\x01\xa1"
                             "a\x02"),
        ROW("a key with NUL", "\x81\xa2"
                              "a\x00\x01"),
        ROW("a key that is no UTF-8", "\x81\xa1\xff\x01"),
        ROW("bytes behind it", "\x80\x80"),
        ROW("the byte that is never used", "\x81\xa1"
                                           "a\xc1"),
        ROW("an array of 2^32-1", "\x81\xa1"
                                  "a\xdd\xff\xff\xff\xff\x01"),
        ROW("a map of 2^32-1", "\x81\xa1"
                               "a\xdf\xff\xff\xff\xff\x01"),
        ROW("a str of 2^32-1", "\x81\xa1"
                               "a\xdb\xff\xff\xff\xff\x01"),
        ROW("a bin of 2^32-1", "\x81\xa1"
                               "a\xc6\xff\xff\xff\xff\x01"),
        ROW("2^32-1 fields", "\xdf\xff\xff\xff\xff"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rec r = {0};
        struct err e = {0};

        cr_expect_eq(rec_parse(&r, bad[i].bytes, bad[i].n, &e), ERR_RECORD, "%s",
                     bad[i].what);
        cr_expect_neq(e.text[0], 0, "%s", bad[i].what);
        rec_release(&r);
    }
}

Test(record, nested_too_deeply)
{
    unsigned char b[3 + REC_DEPTH + 1] = "\x81\xa1"
                                         "a";
    struct rec r = {0};

    memset(b + 3, 0x91, REC_DEPTH); /* the map itself is one level */
    b[3 + REC_DEPTH] = 0xc0;
    cr_expect_eq(rec_parse(&r, b, sizeof b, NULL), ERR_RECORD);
    b[3 + REC_DEPTH - 1] = 0xc0;
    cr_expect_eq(rec_parse(&r, b, sizeof b - 1, NULL), 0);
    rec_release(&r);
}
