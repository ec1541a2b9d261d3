#version 450
// SPDX-License-Identifier: Apache-2.0
// The same on cooperative matrices: every subgroup keeps SUMS matrices of float32 sums busy.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#pragma use_vulkan_memory_model
#include "iface.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 256;
layout(constant_id = 1) const uint M = 16; // size of a matrix
layout(constant_id = 2) const uint N = 16;
layout(constant_id = 3) const uint K = 16;

layout(push_constant) uniform Push { peak_push p; };
layout(std430, binding = 0) restrict writeonly buffer Y { float y[]; }; // [subgroup][M][N]

void main()
{
    coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> a = coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>(p.factor);
    coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> b = coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>(p.factor);
    coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sum[PEAK_SUMS];
    [[unroll]] for (uint i = 0; i < PEAK_SUMS; i++)
        sum[i] = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(float(i));
    [[dont_unroll]] for (uint round = 0; round < p.rounds; round++)
        [[unroll]] for (uint i = 0; i < PEAK_SUMS; i++)
            sum[i] = coopMatMulAdd(a, b, sum[i]);
    [[unroll]] for (uint i = 1; i < PEAK_SUMS; i++)
        sum[0] += sum[i];
    uint subgroup = gl_WorkGroupID.x * gl_NumSubgroups + gl_SubgroupID;
    coopMatStore(sum[0], y, subgroup * M * N, N, gl_CooperativeMatrixLayoutRowMajor);
}
