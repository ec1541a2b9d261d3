// SPDX-License-Identifier: Apache-2.0
// Joins the stretches of sequences in shared memory. A stretch takes a state h to product * h + state. ENTRIES stretches
// lie in the pool in order, SEQUENCE of them to a sequence (a multiple of RUN), each WIDTH vectors of type STATE wide.
#ifndef SCAN_JOIN_GLSL
#define SCAN_JOIN_GLSL

#define RUN 16 // stretches that one invocation walks

const uint TOTALS = ENTRIES / RUN * (RUN + 1) * WIDTH * 2;
shared STATE pool[POOL]; // at least TOTALS + ENTRIES / RUN * WIDTH * 2: products at even places, states at odd ones

// One entry is left free after a run, or the runs would collide in the banks.
uint entry_at(uint entry, uint v)
{
    return ((entry + entry / RUN) * WIDTH + v) * 2;
}

// Replaces the states by those that the stretches start with; each sequence starts from zero.
void states_before()
{
    uint run = gl_LocalInvocationID.x / WIDTH, v = gl_LocalInvocationID.x % WIDTH, runs = SEQUENCE / RUN;
    bool walks = run < ENTRIES / RUN;
    barrier();
    if (walks) {
        STATE product = STATE(1.0), state = STATE(0.0);
        [[unroll]] for (uint i = 0; i < RUN; ++i) {
            uint at = entry_at(run * RUN + i, v);
            state = pool[at] * state + pool[at + 1];
            product *= pool[at];
        }
        pool[TOTALS + 2 * gl_LocalInvocationID.x] = product;
        pool[TOTALS + 2 * gl_LocalInvocationID.x + 1] = state;
    }
    barrier();
    if (walks) {
        STATE state = STATE(0.0);
        for (uint before = run / runs * runs; before < run; ++before) {
            uint at = TOTALS + 2 * (before * WIDTH + v);
            state = pool[at] * state + pool[at + 1];
        }
        [[unroll]] for (uint i = 0; i < RUN; ++i) {
            uint at = entry_at(run * RUN + i, v);
            STATE next = pool[at] * state + pool[at + 1];
            pool[at + 1] = state;
            state = next;
        }
    }
    barrier();
}

#endif
