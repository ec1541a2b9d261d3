// SPDX-License-Identifier: Apache-2.0
// What conv_lanes.comp and scan_proj.comp share: cooperative matrices of which every invocation knows the elements that it holds
// (deal.comp), and the pieces of the result that it finishes.
//
// Needs the constants WG, SG_M, SG_N, SG_K (subgroups along pixels, channels and k), ROW_LANES, FRAGS_M, FRAGS_N (matrices of a
// subgroup), STEP_E, STEP_R, RUN and STEP_RUN.
#ifndef LANES_GLSL
#define LANES_GLSL

const uint SIZE = 16;                              // of a matrix: SIZE x SIZE
const uint SUBGROUP = WG / (SG_M * SG_N * SG_K);   // its invocations
const uint E = SIZE / ROW_LANES;                   // an invocation's elements of a row, 2 or 4
const uint ROWS = SIZE * ROW_LANES / SUBGROUP;     // its rows of a matrix
const uint DEPTH = 8 / E;                          // matrices along k that an oct of each row fills
const uint OCTS_B = SIZE * SIZE / SUBGROUP / 8;    // octs of a matrix of W that it holds
const uint V = FRAGS_N * E % 8 == 0 ? 8 : 4;       // channels of a piece,
const uint PIECE_QUADS = V / 4;                    // quads of it
const uint WIDE = V / E, COLUMNS = FRAGS_N / WIDE; // matrices side by side that hold a piece of each row; so many times
const uint PIECES = FRAGS_M * COLUMNS * ROWS;      // that it finishes, if k is not split

coopmat<float, gl_ScopeSubgroup, SIZE, SIZE, gl_MatrixUseAccumulator> acc[FRAGS_M * FRAGS_N];

#define ELEMENT(r, e) ((e) * STEP_E + (r) % RUN * STEP_R + (r) / RUN * STEP_RUN)
// Element v of piece (i, j, r) of an invocation: matrix and place; quad k of it.
#define SUM(i, j, r, v) acc[(i) * FRAGS_N + (j) * WIDE + (v) / E][ELEMENT(r, (v) % E)]
#define QUAD_OF(i, j, r, k) vec4(SUM(i, j, r, 4 * (k)), SUM(i, j, r, 4 * (k) + 1), SUM(i, j, r, 4 * (k) + 2), SUM(i, j, r, 4 * (k) + 3))

#endif
