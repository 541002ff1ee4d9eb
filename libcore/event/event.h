/*
 * Event files: numbers by step, as TensorBoard reads them.
 *
 * A file is a row of frames (TFRecord): length (8 bytes, little-endian), its masked CRC-32C,
 * the bytes, their masked CRC-32C.  Each frame holds one protobuf message, tensorflow.Event:
 *
 *     1 wall_time  double                 seconds since 1970
 *     2 step       int64
 *     3 file_version "brain.Event:2"      of the first only
 *     5 summary    { 1 value { 1 tag  string;  2 simple_value  float } ... }
 *     7 session_log { 1 status START }    where a writer begins
 *
 * A run that is taken up again goes on in its file.  A START at step k says that what stands
 * before it from step k on is void: TensorBoard drops it, so a step that was done twice is
 * shown once.  A file of its own, with a name that sorts behind those that are there, is
 * opened where the last one is another program's, was cut inside a frame, or is being
 * written.
 */
#ifndef CAGSR_EVENT_EVENT_H
#define CAGSR_EVENT_EVENT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct event_bytes {
    unsigned char *p;
    size_t n, cap;
};

struct event_file {
    int fd;     /* -1: none */
    char *path; /* for sentences */
    /* private */
    struct event_bytes summary, frame;
};

/* Makes DIR, with what leads to it, and opens the file in it; `first` is the first step that
 * will come.  Close it in any case.  ERR_IO, ERR_FILE (DIR is no directory), ERR_NOMEM. */
int event_open(struct event_file *w, const char *dir, uint64_t first,
               struct err *e) MUST_CHECK;

/* One number of the step under way; tag: n bytes of UTF-8.  ERR_NOMEM. */
int event_scalar(struct event_file *w, const char *tag, size_t n, double x,
                 struct err *e) MUST_CHECK;

/* Writes the step's numbers, as one event, by one write(2): readers see it at once.
 * Nothing without numbers.  ERR_IO, ERR_NOMEM. */
int event_send(struct event_file *w, uint64_t step, struct err *e) MUST_CHECK;

/* Closes it (fd -1 is fine); rc is the result so far.  Returns rc, or ERR_IO. */
int event_close(struct event_file *w, int rc, struct err *e) MUST_CHECK;

#endif
