// SPDX-License-Identifier: Apache-2.0
// Mean and variance of STRIP pixels whose channels LANES invocations hold. Their sums are taken about a pivot, a number near the
// channels, so that one pass over them is exact enough; a barrier tells them to each other. With SHUFFLE, CLUSTER neighbours of a
// subgroup (a power of two, divides LANES) have added theirs before.
//
// Needs the constants WG, LANES, CLUSTER, STRIP, NQ (quads of a pixel to write), C (channels) and QUADS (of an invocation).

#ifdef SHUFFLE
#define INVOCATION (gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID)
#else
#define INVOCATION gl_LocalInvocationIndex
#endif
const uint CQ = (C + 3) / 4;
const uint PARTS = LANES / CLUSTER;
shared vec2 parts[STRIP][WG / CLUSTER];

// 1 for the channels of quad q that exist, 0 for padding.
vec4 exists(uint q)
{
    if (C == 4 * LANES * QUADS)
        return vec4(1);
    return C % 4 == 0 ? vec4(q < CQ ? 1 : 0) : vec4(lessThan(uvec4(4 * q) + uvec4(0, 1, 2, 3), uvec4(C)));
}

float pivot[STRIP];
vec2 norm[STRIP]; // sum and sum of squares less the pivot; after normalise() mean and 1 / standard deviation

void start(uint s, float near)
{
    pivot[s] = near;
    norm[s] = vec2(0);
}

// Quad q of pixel s.
void add(uint s, uint q, vec4 v)
{
    vec4 d = (v - pivot[s]) * exists(q);
    norm[s] += vec2(d.x + d.y + d.z + d.w, dot(d, d));
}

// All invocations of the workgroup come here.
void normalise(float eps)
{
    uint id = INVOCATION;
#ifdef SHUFFLE
    [[unroll]] for (uint s = 0; s < STRIP; s++)
        [[unroll]] for (uint i = 1; i < CLUSTER; i *= 2)
            norm[s] += subgroupShuffleXor(norm[s], i);
#endif
    if (PARTS > 1) {
        if (id % CLUSTER == 0)
            [[unroll]] for (uint s = 0; s < STRIP; s++)
                parts[s][id / CLUSTER] = norm[s];
        barrier();
        [[unroll]] for (uint s = 0; s < STRIP; s++)
            norm[s] = vec2(0);
        for (uint i = id / LANES * PARTS; i < (id / LANES + 1) * PARTS; i++)
            [[unroll]] for (uint s = 0; s < STRIP; s++)
                norm[s] += parts[s][i];
    }
    [[unroll]] for (uint s = 0; s < STRIP; s++) {
        vec2 m = norm[s] * (1.0 / float(C));
        norm[s] = vec2(pivot[s] + m.x, inversesqrt(max(m.y - m.x * m.x, 0) + eps));
    }
}
