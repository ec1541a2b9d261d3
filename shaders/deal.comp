#version 450
// SPDX-License-Identifier: Apache-2.0
// Which elements of a cooperative matrix each invocation of a subgroup holds: an implementation is free in that, and
// conv_lanes, natten_lanes and attention_coop fill their matrices by hand. Element i of invocation l is number y[l][i] of the matrix, row by row.
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#pragma use_vulkan_memory_model

layout(local_size_x_id = 0) in; // one subgroup
layout(constant_id = 0) const uint LANES = 32;
const uint SIZE = 256, LENGTH = SIZE / LANES;

layout(std430, binding = 0) restrict writeonly buffer Y { uint y[]; }; // [A, B, sums][LANES][LENGTH]

shared float16_t halves[SIZE];
shared float floats[SIZE];

#define TELL(use, matrix)                                                            \
    for (uint i = 0; i < LENGTH; i++)                                                \
        y[use * SIZE + gl_SubgroupInvocationID * LENGTH + i] = matrix.length() == LENGTH ? uint(matrix[i]) : SIZE

void main()
{
    for (uint i = gl_SubgroupInvocationID; i < SIZE; i += LANES) {
        halves[i] = float16_t(i);
        floats[i] = float(i);
    }
    barrier();
    coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA> a;
    coopmat<float16_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseB> b;
    coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> sums;
    coopMatLoad(a, halves, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(b, halves, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(sums, floats, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
    TELL(0, a);
    TELL(1, b);
    TELL(2, sums);
}
