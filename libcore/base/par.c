#include "base/par.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*
 * Workers sleep on a condition variable between loops.  Before that they spin for a
 * moment: a decode step is a few hundred short loops, and waking a sleeper costs more
 * than one of them takes.
 *
 * `state` holds the number of the loop, whether it is open, and how many workers are
 * inside.  A worker enters an open loop it has not been in by adding 1; the caller
 * closes the loop when all iterations are handed out and waits for those inside.  One
 * that comes late finds it closed and is not waited for: on a busy machine a loop takes
 * as long as its work, not as long as the slowest thread takes to wake.
 */
enum { SPINS = 4000 };
enum { INSIDE = 0xffff, OPEN = 0x10000, EPOCH = 0x20000 };

struct worker {
    struct par *pool;
    size_t index;
    pthread_t thread;
};

struct par {
    size_t threads;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_size_t state; /* EPOCH * number of the loop + OPEN + workers inside */
    atomic_size_t next;  /* the next iteration to hand out */
    atomic_int stop;
    size_t n;
    void (*fn)(void *, size_t, size_t);
    void *ctx;
    struct worker workers[];
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void take_part(struct par *p, size_t worker)
{
    size_t i;

    while ((i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->n)
        p->fn(p->ctx, i, worker);
}

/* 1 if the loop of `state` can be entered by a worker that was in loop `seen` last. */
static int is_new(size_t state, size_t seen)
{
    return (state & OPEN) && state / EPOCH != seen;
}

static int has_news(struct par *p, size_t seen)
{
    return is_new(atomic_load_explicit(&p->state, memory_order_acquire), seen) ||
           atomic_load_explicit(&p->stop, memory_order_acquire);
}

static void await_news(struct par *p, size_t seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (has_news(p, seen))
            return;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    while (!has_news(p, seen))
        pthread_cond_wait(&p->wake, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

/* Returns the number of the loop entered, or `seen` if it closed meanwhile. */
static size_t enter(struct par *p, size_t seen)
{
    size_t state = atomic_load_explicit(&p->state, memory_order_acquire);

    while (is_new(state, seen))
        if (atomic_compare_exchange_weak_explicit(&p->state, &state, state + 1,
                                                  memory_order_acquire,
                                                  memory_order_acquire))
            return state / EPOCH;
    return seen;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct par *p = w->pool;
    size_t seen = 0;

    for (;;) {
        await_news(p, seen);
        if (atomic_load_explicit(&p->stop, memory_order_acquire))
            return NULL;
        const size_t now = enter(p, seen);
        if (now == seen)
            continue;
        take_part(p, w->index);
        atomic_fetch_sub_explicit(&p->state, 1, memory_order_release);
        seen = now;
    }
}

static void open_loop(struct par *p)
{
    pthread_mutex_lock(&p->lock);
    const size_t state = atomic_load_explicit(&p->state, memory_order_relaxed);
    atomic_store_explicit(&p->state, (state / EPOCH + 1) * EPOCH + OPEN,
                          memory_order_release);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void close_loop(struct par *p)
{
    atomic_fetch_and_explicit(&p->state, ~(size_t)OPEN, memory_order_acquire);
    for (int spins = 0; atomic_load_explicit(&p->state, memory_order_acquire) & INSIDE;
         spins++)
        if (spins < SPINS)
            relax();
        else
            sched_yield();
}

static size_t processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) < 1)
        return 1;
    return (size_t)CPU_COUNT(&set);
}

int par_new(struct par **out, size_t threads, struct err *e)
{
    if (threads == 0)
        threads = processors();
    struct par *p = calloc(1, sizeof *p + threads * sizeof *p->workers);

    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for %zu threads", threads);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->threads = 1;
    for (size_t i = 1; i < threads; i++) {
        p->workers[i] = (struct worker){.pool = p, .index = i};
        if (pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i])) {
            par_free(p);
            return err_set(e, ERR_NOMEM, "cannot start thread %zu of %zu", i + 1,
                           threads);
        }
        p->threads = i + 1;
    }
    *out = p;
    return 0;
}

void par_free(struct par *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store_explicit(&p->stop, 1, memory_order_release);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 1; i < p->threads; i++)
        pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

size_t par_threads(const struct par *p)
{
    return p ? p->threads : 1;
}

void par_for(struct par *p, size_t n, void (*fn)(void *, size_t, size_t), void *ctx)
{
    if (!p || p->threads == 1 || n <= 1) {
        for (size_t i = 0; i < n; i++)
            fn(ctx, i, 0);
        return;
    }
    p->n = n;
    p->fn = fn;
    p->ctx = ctx;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    open_loop(p);
    take_part(p, 0);
    close_loop(p);
}

struct zero {
    float *x;
    size_t n;
};
enum { ZERO_RUN = 1 << 18 };

static void zero_run(void *ctx, size_t i, size_t worker)
{
    const struct zero *z = ctx;
    const size_t from = i * ZERO_RUN, left = z->n - from;

    (void)worker;
    memset(z->x + from, 0, (left < ZERO_RUN ? left : ZERO_RUN) * sizeof *z->x);
}

void par_zero(struct par *p, float *x, size_t n)
{
    par_for(p, (n + ZERO_RUN - 1) / ZERO_RUN, zero_run, &(struct zero){x, n});
}
