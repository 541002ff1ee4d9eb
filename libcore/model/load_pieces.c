#include "model/load_pieces.h"

#include "kern/finite.h"
#include "tensor/dims.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void pieces_release(struct pieces *p)
{
    free(p->piece);
    *p = (struct pieces){0};
}

static int push(struct pieces *p, const struct piece *x, struct err *e)
{
    if (p->n == p->room) {
        const size_t room = p->room ? 2 * p->room : 64;
        struct piece *more = realloc(p->piece, room * sizeof *more);

        if (!more)
            return err_set(e, ERR_NOMEM, "no memory for a list of %zu pieces", room);
        p->piece = more;
        p->room = room;
    }
    p->piece[p->n++] = *x;
    return 0;
}

int pieces_add(struct pieces *p, const struct piece *whole, struct err *e)
{
    int rc = 0;

    for (size_t r = 0; r < whole->rows && rc >= 0; r += GEMM_PIECE) {
        struct piece x = *whole;

        x.there = x.there ? x.there + r * x.cols : NULL;
        x.to = x.to ? x.to + r * x.cols : NULL;
        x.row += r;
        x.at += r;
        x.rows = least(whole->rows - r, GEMM_PIECE);
        rc = push(p, &x, e);
    }
    return rc;
}

/* ---- one of them ------------------------------------------------------------------- */

struct job {
    struct piece *piece;
    size_t n;
    struct kern *k;
    struct hasher *hash;
    atomic_uchar *made;    /* (n) piece i can be hashed */
    atomic_size_t hashed;  /* pieces */
    atomic_flag hashing;   /* some thread is at it */
    atomic_size_t strange; /* the first piece that is not finite, or n */
};

static void read_piece(struct piece *x, enum isa isa)
{
    const size_t n = x->rows * x->cols;

    if (x->there)
        return;
    weights_read(x->t, x->head_dim, x->row, x->row + x->rows, x->to, isa);
    if (x->less != 0)
        for (size_t i = 0; i < n; i++)
            x->to[i] -= x->less;
    x->there = x->to;
}

static int can_hash(struct job *j)
{
    const size_t next = j->hashed;

    return next < j->n && j->made[next];
}

/* Whoever has made the next piece hashes until one is not made yet.  One that was made while the
 * flag was still up is seen after it went down. */
static void hash_pieces(struct job *j, size_t i)
{
    j->made[i] = 1;
    while (can_hash(j) && !atomic_flag_test_and_set(&j->hashing)) {
        for (; can_hash(j); j->hashed++) {
            const struct piece *x = &j->piece[j->hashed];

            hasher_add(j->hash, x->there, x->rows * x->cols * sizeof *x->there);
        }
        atomic_flag_clear(&j->hashing);
    }
}

static void refuse(struct job *j, size_t i)
{
    size_t first = j->strange;

    while (i < first && !atomic_compare_exchange_weak(&j->strange, &first, i))
        ;
}

static void piece_task(void *arg, size_t i, size_t worker)
{
    struct job *j = arg;
    struct piece *x = &j->piece[i];
    const enum isa isa = kern_isa(j->k);

    (void)worker;
    read_piece(x, isa);
    if (x->t && !all_finite(isa, x->there, x->rows * x->cols))
        refuse(j, i);
    if (x->w)
        gemm_pack_rows(x->w, j->k, x->there, x->cols, x->at, x->rows);
    if (j->hash)
        hash_pieces(j, i);
}

int pieces_run(struct pieces *p, struct kern *k, struct hasher *hash, struct err *e)
{
    struct job j = {.piece = p->piece,
                    .n = p->n,
                    .k = k,
                    .hash = hash,
                    .hashing = ATOMIC_FLAG_INIT,
                    .strange = p->n};

    if (p->n == 0)
        return 0;
    if (!(j.made = calloc(p->n, sizeof *j.made)))
        return err_set(e, ERR_NOMEM, "no memory for %zu pieces", p->n);
    par_for(kern_par(k), p->n, piece_task, &j);
    free(j.made);
    p->n = 0;
    if (j.strange == j.n)
        return 0;
    const struct weights_tensor *t = j.piece[j.strange].t;
    return err_set(e, ERR_NUMERIC, "%s: '%s' holds what is not a finite number",
                   t->file, t->name);
}
