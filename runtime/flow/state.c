/* SPDX-License-Identifier: MIT */
/* The tables of state.h. A pair that is not named here is zero, which means: cannot happen. Next states are kept plus one. */
#include "state.h"

#define TO(state) (uint8_t)((state) + 1)

static const uint8_t life[WR_LIFE_STATES_COUNT][WR_LIFE_EVENTS_COUNT] = {
    [WR_LIFE_CONSTRUCTING] = {[WR_LIFE_ON_CONSTRUCTED] = TO(WR_LIFE_OPEN), [WR_LIFE_ON_DESTROY] = TO(WR_LIFE_DOOMED)},
    [WR_LIFE_OPEN] = {[WR_LIFE_ON_DESTROY] = TO(WR_LIFE_DESTROYING)},
    [WR_LIFE_DOOMED] = {[WR_LIFE_ON_CONSTRUCTED] = TO(WR_LIFE_DESTROYING)},
    [WR_LIFE_DESTROYING] = {[WR_LIFE_ON_DESTROYED] = TO(WR_LIFE_CLOSED)},
    [WR_LIFE_CLOSED] = {[WR_LIFE_ON_CLOSE] = TO(WR_LIFE_GONE)},
};

static const uint8_t readable[WR_READ_STATES_COUNT][WR_READ_EVENTS_COUNT] = {
    [WR_READ_IDLE] = {[WR_READ_ON_ASK] = TO(WR_READ_READING),
                      [WR_READ_ON_PUSH] = TO(WR_READ_IDLE),
                      [WR_READ_ON_EOF] = TO(WR_READ_ENDED)},
    [WR_READ_READING] = {[WR_READ_ON_PUSH] = TO(WR_READ_IDLE), [WR_READ_ON_EOF] = TO(WR_READ_ENDED)},
    [WR_READ_ENDED] = {[WR_READ_ON_PUSH] = TO(WR_READ_ENDED),
                       [WR_READ_ON_EOF] = TO(WR_READ_ENDED),
                       [WR_READ_ON_END] = TO(WR_READ_DONE)},
    [WR_READ_DONE] = {[WR_READ_ON_PUSH] = TO(WR_READ_DONE), [WR_READ_ON_EOF] = TO(WR_READ_DONE)},
};

static const uint8_t writable[WR_WRITE_STATES_COUNT][WR_WRITE_EVENTS_COUNT] = {
    [WR_WRITE_OPEN] = {[WR_WRITE_ON_END] = TO(WR_WRITE_ENDING)},
    [WR_WRITE_ENDING] = {[WR_WRITE_ON_FINAL] = TO(WR_WRITE_FINAL), [WR_WRITE_ON_PREFINISH] = TO(WR_WRITE_PREFINISHED)},
    [WR_WRITE_FINAL] = {[WR_WRITE_ON_PREFINISH] = TO(WR_WRITE_PREFINISHED)},
    [WR_WRITE_PREFINISHED] = {[WR_WRITE_ON_FINISH] = TO(WR_WRITE_FINISHED)},
};

#define X(name) #name,
static const char *const life_states[] = {WR_LIFE_STATES(X)};
static const char *const life_events[] = {WR_LIFE_EVENTS(X)};
static const char *const read_states[] = {WR_READ_STATES(X)};
static const char *const read_events[] = {WR_READ_EVENTS(X)};
static const char *const write_states[] = {WR_WRITE_STATES(X)};
static const char *const write_events[] = {WR_WRITE_EVENTS(X)};
#undef X

static const struct {
    const uint8_t *table;
    const char *const *states;
    const char *const *events;
    int states_count, events_count;
} machines[WR_MACHINE_COUNT] = {
    {life[0], life_states, life_events, WR_LIFE_STATES_COUNT, WR_LIFE_EVENTS_COUNT},
    {readable[0], read_states, read_events, WR_READ_STATES_COUNT, WR_READ_EVENTS_COUNT},
    {writable[0], write_states, write_events, WR_WRITE_STATES_COUNT, WR_WRITE_EVENTS_COUNT},
};

int wr_state_next(enum wr_machine machine, int state, int event)
{
    return machines[machine].table[state * machines[machine].events_count + event] - 1;
}

void wr_state_size(enum wr_machine machine, int *states, int *events)
{
    *states = machines[machine].states_count;
    *events = machines[machine].events_count;
}

const char *wr_state_name(enum wr_machine machine, int state)
{
    return machines[machine].states[state];
}

const char *wr_state_event_name(enum wr_machine machine, int event)
{
    return machines[machine].events[event];
}
