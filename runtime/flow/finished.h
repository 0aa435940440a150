/* SPDX-License-Identifier: MIT */
/* finished: tells once when a stream is done, failed or closed too early. Rules 54 and 55 of Node's streams; it leaves nothing
 * behind, and never reports success for a stream that was destroyed before it was done (decided differences 5 and 11). */
#ifndef WR_FLOW_FINISHED_H
#define WR_FLOW_FINISHED_H

#include "stream.h"

struct wr_finished {
    struct wr_stream *stream; /* counted */
    struct wr_watch watch;
    /* Called once, with the error (borrowed) or NULL; may call wr_finished_clear. */
    void (*fn)(struct wr_finished *w, struct wr_error *err);
    bool readable, writable; /* the sides that are followed */
    bool read_done, write_done;
    bool waits_for_close, closed, called, added;
    bool lenient; /* for the owner to set: an end that was given, with nothing left before it, is as good as told */
};

/* Follows S from now on; W is the caller's memory, FN is called in a later tick even if all is over already. READABLE and
 * WRITABLE: which sides matter (a side that S does not have is done). ERRORS: whether 'error' is listened to. */
void wr_finished_init(struct wr_finished *w, struct wr_stream *s, bool readable, bool writable, bool errors,
                      void (*fn)(struct wr_finished *w, struct wr_error *err));

/* Stops following; FN is not called any more. Harmless twice. */
void wr_finished_clear(struct wr_finished *w);

/* A new ERR_STREAM_PREMATURE_CLOSE of S (decided difference 10), which knows those of the sides asked for that were not done,
 * or all where they were (too early for who asks).  Counted. */
struct wr_error *wr_finished_premature(const struct wr_stream *s, bool readable, bool writable);

/* Does S have that side, open or closed by now, but not closed from the start? */
bool wr_finished_has_readable(const struct wr_stream *s);
bool wr_finished_has_writable(const struct wr_stream *s);

#endif
