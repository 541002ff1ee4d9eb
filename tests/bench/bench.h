/*
 * What the programs of tests/bench share: clocks, medians, memory, numbers to work on.
 * All of it is for programs: they print and exit.
 */
#ifndef CAGSR_BENCH_BENCH_H
#define CAGSR_BENCH_BENCH_H

#include "base/err.h"
#include "tensor/dims.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

/* Seconds.  With one thread, the processor's time: the same on a busy machine. */
static inline double now(int threads)
{
    struct timespec t;

    clock_gettime(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts v (n), n >= 1; of an even number the upper one of the two in the middle. */
static inline double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

/* Prints "bench/NAME: sentence" and ends. */
static inline void die(const char *name, const struct err *e)
{
    fprintf(stderr, "bench/%s: %s\n", name, e->text);
    exit(1);
}

/* n numbers between -1/2 and 1/2, 64-byte aligned; the caller frees. */
static inline float *some(size_t n)
{
    float *x = aligned_alloc(64, round_up(n * sizeof *x, 64));

    if (!x)
        abort();
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 2654435761u >> 8 & 0xffff) - 32768.0) / 65536;
    return x;
}

/* One repetition:  WHO WORK SECONDS UNITS PEAK_KB.  Units are tokens, bytes or records,
 * whatever the work has; peak_kb is the largest resident memory. */
static inline void report(const char *who, const char *work, double seconds,
                          double units, long peak_kb)
{
    printf("%s %s %.6f %.0f %ld\n", who, work, seconds, units, peak_kb);
    fflush(stdout);
}

/* Largest resident memory so far, KiB: of this process, or of children waited for
 * (RUSAGE_SELF, RUSAGE_CHILDREN). */
static inline long peak_kb(int who)
{
    struct rusage u;

    return getrusage(who, &u) == 0 ? u.ru_maxrss : -1;
}

#endif
