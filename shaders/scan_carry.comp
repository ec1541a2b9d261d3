// SPDX-License-Identifier: Apache-2.0
// Selective scan, between the passes over the tiles: replaces every chunk's state by the one the chunk starts with. An
// invocation owns a segment of chunks. What comes before a workgroup is summed up by all its invocations together from
// the segments' sums (pass scan_reduce; with at most LINES segments there is one workgroup and no such pass).
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "iface.h"
#include "scan_carry.glsl"

layout(constant_id = 0) const bool REDUCED = false;

shared vec4 products[GROUP], states[GROUP];

void share(stretch s)
{
    barrier(); // the last exchange has been read
    products[gl_LocalInvocationID.x] = s.product;
    states[gl_LocalInvocationID.x] = s.state;
    barrier();
}

// The state after the first `count` shared stretches of this lane.
vec4 advance(vec4 state, uint lane, uint count)
{
    for (uint i = 0; i < count; ++i)
        state = products[i * LANES + lane] * state + states[i * LANES + lane];
    return state;
}

stretch load_sum(uint sequence, uint segment, uint quad)
{
    uint at = sum_at(sequence, segment, quad);
    return stretch(scratch[at], scratch[at + push.quads]);
}

void main()
{
    uint lane = gl_LocalInvocationID.x % LANES, line = gl_LocalInvocationID.x / LANES, group = gl_WorkGroupID.y;
    uint sequence = gl_WorkGroupID.z, n = chunks(sequence);
    if (group * LINES * push.segment >= n)
        return; // the whole workgroup: sequences along rows and columns differ in length
    uint quad = gl_WorkGroupID.x * LANES + lane;
    bool live = quad < push.quads;
    quad = min(quad, push.quads - 1);

    vec4 state = vec4(0.0);
    if (REDUCED && group > 0) {
        stretch before = stretch(vec4(1.0), vec4(0.0));
        for (uint i = 0; i < group; ++i)
            before = join(before, load_sum(sequence, line * group + i, quad));
        share(before);
        state = advance(state, lane, LINES);
    }

    uint at = sequence_at(sequence) + quad, segment = group * LINES + line;
    uint first = min(segment * push.segment, n), last = min(first + push.segment, n);
    stretch own = stretch(vec4(1.0), vec4(0.0));
    if (REDUCED && first < n)
        own = load_sum(sequence, segment, quad);
    else if (!REDUCED)
        own = sum_of_chunks(at, first, last);
    share(own);
    state = advance(state, lane, line);

    if (!live)
        return;
    for (uint i = first; i < last; ++i) {
        uint c = at + i * push.quads;
        vec4 product = scratch[push.products + c], end = scratch[push.states + c];
        scratch[push.states + c] = state;
        state = product * state + end;
    }
}
