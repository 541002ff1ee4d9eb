/*
 * Calls we never make: a compile error wherever they appear.  The Makefile includes
 * this file in front of every source of libcore and tools.
 */
#ifndef CAGSR_BASE_BANNED_H
#define CAGSR_BASE_BANNED_H

/* System headers declare these; they must be read before the names are taken away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison atoi atol atof /* no error: strtol, strtod with a check */
#pragma GCC poison strcpy strcat strncpy strtok
#pragma GCC poison sprintf vsprintf gets /* no bound: snprintf */
#pragma GCC poison rand srand random     /* state: rng.h */
#pragma GCC poison gmtime localtime ctime asctime

#endif
