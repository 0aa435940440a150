/* SPDX-License-Identifier: MIT */
/* What a stream is, written down: three small machines, each a table [state][event].
 *
 * The life of a stream
 *
 *   CONSTRUCTING --constructed--> OPEN --destroy--> DESTROYING --destroyed--> CLOSED --close--> GONE
 *        |                                               ^
 *        +--destroy--> DOOMED --constructed--------------+
 *
 *   A stream without `construct` begins OPEN. Guarantees: in CONSTRUCTING no handler but `construct` is called. From DOOMED
 *   on no event but 'error' and 'close' (and 'pause', 'resume', 'pipe', 'unpipe', which tell of others) is emitted, what was
 *   buffered is dropped, and no handler but `destroy` is called. In DESTROYING exactly the handler `destroy` is out. CLOSED
 *   waits for the tick that emits 'error' (if any) and 'close'. After GONE nothing is emitted.
 *
 * Its readable side
 *
 *   IDLE --ask--> READING --push--> IDLE        READING, IDLE --eof--> ENDED --end--> DONE
 *
 *   IDLE: the handler `read` is not out. READING: it was called and has pushed nothing yet; it is not called again.
 *   ENDED: nothing more is pushed; chunks may still be buffered (unshift may even add some). DONE: 'end' was emitted.
 *   ABSENT: there is no such side.
 *
 * Its writable side
 *
 *   OPEN --end--> ENDING --final--> FINAL --prefinish--> PREFINISHED --finish--> FINISHED
 *                   +---------------prefinish---------------^
 *
 *   OPEN: writes are accepted. ENDING: end() was called, earlier writes are still on their way. FINAL: the handler `final` is
 *   out. PREFINISHED: 'prefinish' was emitted, 'finish' will be in a later tick. FINISHED: it was.
 *
 * wr_state_next is the only way from one state to another. A pair that the table does not have is a bug of ours, and asserted.
 */
#ifndef WR_FLOW_STATE_H
#define WR_FLOW_STATE_H

#include <stdint.h>

#define WR_LIFE_STATES(X) X(CONSTRUCTING) X(OPEN) X(DOOMED) X(DESTROYING) X(CLOSED) X(GONE)
#define WR_LIFE_EVENTS(X) X(CONSTRUCTED) X(DESTROY) X(DESTROYED) X(CLOSE)
#define WR_READ_STATES(X) X(ABSENT) X(IDLE) X(READING) X(ENDED) X(DONE)
#define WR_READ_EVENTS(X) X(ASK) X(PUSH) X(EOF) X(END)
#define WR_WRITE_STATES(X) X(ABSENT) X(OPEN) X(ENDING) X(FINAL) X(PREFINISHED) X(FINISHED)
#define WR_WRITE_EVENTS(X) X(END) X(FINAL) X(PREFINISH) X(FINISH)

enum wr_life {
#define X(name) WR_LIFE_##name,
    WR_LIFE_STATES(X)
#undef X
        WR_LIFE_STATES_COUNT
};
enum wr_life_event {
#define X(name) WR_LIFE_ON_##name,
    WR_LIFE_EVENTS(X)
#undef X
        WR_LIFE_EVENTS_COUNT
};
enum wr_read {
#define X(name) WR_READ_##name,
    WR_READ_STATES(X)
#undef X
        WR_READ_STATES_COUNT
};
enum wr_read_event {
#define X(name) WR_READ_ON_##name,
    WR_READ_EVENTS(X)
#undef X
        WR_READ_EVENTS_COUNT
};
enum wr_write {
#define X(name) WR_WRITE_##name,
    WR_WRITE_STATES(X)
#undef X
        WR_WRITE_STATES_COUNT
};
enum wr_write_event {
#define X(name) WR_WRITE_ON_##name,
    WR_WRITE_EVENTS(X)
#undef X
        WR_WRITE_EVENTS_COUNT
};

enum wr_machine { WR_MACHINE_LIFE, WR_MACHINE_READ, WR_MACHINE_WRITE, WR_MACHINE_COUNT };

/* The state that MACHINE goes to from STATE by EVENT, or -1 where the table has no such pair. */
int wr_state_next(enum wr_machine machine, int state, int event);

/* How many states and events MACHINE has, by pointer. */
void wr_state_size(enum wr_machine machine, int *states, int *events);

/* The names of a machine's states and events, as in the lists above. */
const char *wr_state_name(enum wr_machine machine, int state);
const char *wr_state_event_name(enum wr_machine machine, int event);

#endif
