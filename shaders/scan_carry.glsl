// SPDX-License-Identifier: Apache-2.0
// What the passes over the chunks' states share: a workgroup holds LINES segments of consecutive chunks of one sequence,
// for LANES quads of channels.
#ifndef SCAN_CARRY_GLSL
#define SCAN_CARRY_GLSL

#define LANES 8
#define LINES 16
#define GROUP (LANES * LINES)

layout(local_size_x = GROUP) in;
layout(push_constant) uniform PUSH { scan_carry_push push; };
layout(std430, binding = 0) buffer SCRATCH { vec4 scratch[]; };

// Two stretches of a sequence in order make one: x is followed by y.
struct stretch {
    vec4 product, state;
};
stretch join(stretch a, stretch b)
{
    return stretch(a.product * b.product, b.product * a.state + b.state);
}

uint chunks(uint sequence)
{
    return sequence < 2 ? push.rows : push.columns;
}

// First quad of a sequence's products or states.
uint sequence_at(uint sequence)
{
    uint before = sequence < 2 ? sequence * push.rows : 2 * push.rows + (sequence - 2) * push.columns;
    return before * push.quads;
}

// The product of a segment's sum; its state follows push.quads later.
uint sum_at(uint sequence, uint segment, uint quad)
{
    return push.sums + (sequence * push.segments + segment) * 2 * push.quads + quad;
}

stretch sum_of_chunks(uint at, uint first, uint last)
{
    stretch s = stretch(vec4(1.0), vec4(0.0));
    for (uint i = first; i < last; ++i) {
        uint c = at + i * push.quads;
        s = join(s, stretch(scratch[push.products + c], scratch[push.states + c]));
    }
    return s;
}

#endif
