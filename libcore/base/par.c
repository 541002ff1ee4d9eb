#include "base/par.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * Workers sleep on a condition variable between loops.  Before that they spin for a
 * moment: a decode step is a few hundred short loops, and waking a sleeper costs more
 * than one of them takes.  `epoch` counts loops; a worker that sees it change takes
 * part.
 */
enum { SPINS = 4000 };

struct worker {
    struct par *pool;
    size_t index;
    pthread_t thread;
};

struct par {
    size_t threads;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_size_t epoch;
    atomic_size_t next;    /* the next iteration to hand out */
    atomic_size_t running; /* workers not yet done with this loop */
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

/* Returns the new epoch once it differs from `seen`. */
static size_t await_epoch(struct par *p, size_t seen)
{
    for (int i = 0; i < SPINS; i++) {
        const size_t now = atomic_load_explicit(&p->epoch, memory_order_acquire);

        if (now != seen)
            return now;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    while (atomic_load_explicit(&p->epoch, memory_order_acquire) == seen)
        pthread_cond_wait(&p->wake, &p->lock);
    pthread_mutex_unlock(&p->lock);
    return atomic_load_explicit(&p->epoch, memory_order_acquire);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct par *p = w->pool;
    size_t seen = 0;

    for (;;) {
        seen = await_epoch(p, seen);
        if (atomic_load_explicit(&p->stop, memory_order_acquire))
            return NULL;
        take_part(p, w->index);
        atomic_fetch_sub_explicit(&p->running, 1, memory_order_release);
    }
}

static void next_epoch(struct par *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add_explicit(&p->epoch, 1, memory_order_release);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
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
    atomic_store_explicit(&p->stop, 1, memory_order_release);
    next_epoch(p);
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
    atomic_store_explicit(&p->running, p->threads - 1, memory_order_relaxed);
    next_epoch(p);
    take_part(p, 0);
    for (int spins = 0; atomic_load_explicit(&p->running, memory_order_acquire);
         spins++)
        if (spins < SPINS)
            relax();
        else
            sched_yield();
}
