// SPDX-License-Identifier: Apache-2.0
// Selective scan, pass 1: z = W x of every pixel and all four directions; x may first be made by a depthwise convolution. A
// workgroup holds its pixels in shared memory; an invocation makes one quad of z for EACH pixels from a part of the channels, and
// the parts are summed up at the end.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "iface.h"

layout(local_size_x_id = 0) in; // at least ITEMS * SPLIT
layout(constant_id = 1) const uint QUADS = 8;   // of channels
layout(constant_id = 2) const uint OUTPUTS = 4; // quads of z a workgroup
layout(constant_id = 3) const uint EACH = 4;    // pixels an invocation
layout(constant_id = 4) const uint SETS = 1;    // of EACH pixels a workgroup
layout(constant_id = 5) const uint SPLIT = 1;   // parts of the channels
layout(constant_id = 6) const uint CHUNK = 0;   // 0: planes of z in the order of the pixels; else as scan_whole reads them
layout(constant_id = 7) const uint POOL = 32;
layout(constant_id = 8) const uint KERNEL = 0;  // of the convolution that makes x; 0: none
layout(constant_id = 9) const uint ACT = ACT_NONE;
const uint PIXELS = EACH * SETS, ITEMS = OUTPUTS * SETS, PART = (QUADS + SPLIT - 1) / SPLIT;

layout(push_constant) uniform PUSH { scan_project_push push; };
layout(std430, binding = 0) readonly buffer X { QUAD x[]; };
layout(std430, binding = 1) readonly buffer WEIGHT { QUAD weight[]; }; // (4 QUADS, outputs)
layout(std430, binding = 2) writeonly buffer Z { QUAD z[]; };
layout(std430, binding = 3) readonly buffer TAPS { QUAD taps[]; };      // (taps, QUADS), then float32 bias (QUADS)
layout(std430, binding = 4) writeonly buffer MADE { QUAD made[]; };     // the convolution's result (pixels, QUADS)

shared vec4 pool[POOL]; // the pixels' channels, then the parts' sums

vec4 bias(uint q)
{
    uint at = KERNEL * KERNEL * QUADS;
#ifdef F16
    return uintBitsToFloat(uvec4(taps[at + 2 * q], taps[at + 2 * q + 1]));
#else
    return taps[at + q];
#endif
}

vec4 convolve(uint pixel, uint q)
{
    ivec2 center = ivec2(pixel % push.w, pixel / push.w), size = ivec2(push.w, push.h);
    vec4 sum = bias(q);
    [[unroll]] for (uint i = 0; i < KERNEL * KERNEL; ++i) {
        ivec2 at = center + ivec2(i % KERNEL, i / KERNEL) - int(KERNEL / 2), inside = clamp(at, ivec2(0), size - 1);
        vec4 v = load_quad(x[uint(inside.y * size.x + inside.x) * push.x_stride + push.x_offset + q]);
        sum += at == inside ? v * load_quad(taps[i * QUADS + q]) : vec4(0.0);
    }
    return activate(sum, ACT);
}

void stage(uint first)
{
    for (uint i = gl_LocalInvocationID.x; i < PIXELS * QUADS; i += gl_WorkGroupSize.x) {
        uint pixel = min(first + i / QUADS, push.pixels - 1), q = i % QUADS;
        if (KERNEL == 0) {
            pool[i] = load_quad(x[pixel * push.x_stride + push.x_offset + q]);
            continue;
        }
        pool[i] = convolve(pixel, q);
        if (gl_WorkGroupID.y == 0 && first + i / QUADS == pixel)
            made[pixel * QUADS + q] = store_quad(pool[i]);
    }
    barrier();
}

void multiply(uint o, uint set, uint part, out vec4 sum[EACH])
{
    for (uint i = 0; i < EACH; ++i)
        sum[i] = vec4(0.0);
    uint last = min((part + 1) * PART, QUADS), at = set * EACH * QUADS;
    for (uint q = part * PART; q < last; ++q) {
        vec4 w0 = load_quad(weight[(4 * q + 0) * push.outputs + o]);
        vec4 w1 = load_quad(weight[(4 * q + 1) * push.outputs + o]);
        vec4 w2 = load_quad(weight[(4 * q + 2) * push.outputs + o]);
        vec4 w3 = load_quad(weight[(4 * q + 3) * push.outputs + o]);
        [[unroll]] for (uint i = 0; i < EACH; ++i) {
            vec4 v = pool[at + i * QUADS + q];
            sum[i] += w0 * v.x + w1 * v.y + w2 * v.z + w3 * v.w;
        }
    }
}

// Place in a plane of direction k: scan_whole's invocations read consecutive places, CHUNK times.
uint place(uint pixel, uint k)
{
    if (CHUNK == 0)
        return pixel;
    uint position = k % 2 == 1 ? pixel % push.w * push.h + pixel / push.w : pixel;
    return position % CHUNK * (push.plane / CHUNK) + position / CHUNK;
}

void store(uint pixel, uint o, vec4 v)
{
    if (pixel < push.pixels && o < push.outputs)
        z[o * push.plane + place(pixel, o / (push.outputs / 4))] = store_quad(clamp(v, -65504.0, 65504.0));
}

void main()
{
    uint first = gl_WorkGroupID.x * PIXELS, first_output = gl_WorkGroupID.y * OUTPUTS;
    uint item = gl_LocalInvocationID.x % ITEMS, part = gl_LocalInvocationID.x / ITEMS;
    stage(first);
    vec4 sum[EACH];
    if (part < SPLIT)
        multiply(min(first_output + item % OUTPUTS, push.outputs - 1), item / OUTPUTS, part, sum);
    barrier();
    if (part < SPLIT)
        [[unroll]] for (uint i = 0; i < EACH; ++i)
            pool[(part * EACH + i) * ITEMS + item] = sum[i];
    barrier();
    for (uint i = gl_LocalInvocationID.x; i < PIXELS * OUTPUTS; i += gl_WorkGroupSize.x) {
        uint pixel = i % PIXELS, o = i / PIXELS, at = pixel % EACH * ITEMS + pixel / EACH * OUTPUTS + o;
        vec4 total = pool[at];
        for (uint j = 1; j < SPLIT; ++j)
            total += pool[at + j * EACH * ITEMS];
        store(first + pixel, first_output + o, total);
    }
}
