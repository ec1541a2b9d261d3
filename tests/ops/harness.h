/* SPDX-License-Identifier: Apache-2.0 */
/**
 * harness.h: runs small graphs on the GPU and compares them with plain C references.
 *
 * A test program is harness_main() with a list of CUnit tests; a test describes a graph and its reference in a
 * struct harness_case and calls harness_check(), which runs it in both storage precisions:
 *
 *   - the arena is filled with NaN before a run, so that reading what nobody wrote shows;
 *   - padding channels of the output must come out as zeros, and a second run must give the same bytes;
 *   - where one pass does all the work, it may have written to the output alone;
 *   - the relative L2 error must stay within the case's budget.
 *
 * Options of a test program: --bench (time every case), --device NAME (default: $SEGMAN_DEVICE), --only TEXT (cases whose
 * name contains it), --no-validation. Inputs and weights are functions of names: the same everywhere, on every run.
 */
#ifndef TESTS_OPS_HARNESS_H
#define TESTS_OPS_HARNESS_H

#include <CUnit/CUnit.h>

#include "vk/net/net.h"

struct harness_case {
    const char *name; /**< of the row; also seeds the input */
    uint32_t c, h, w; /**< input */
    float scale;      /**< input values lie in [-scale, scale); 0: 1 */
    float offset;     /**< added to every input value */
    /** Adds the ops under test; the result becomes the graph's output. */
    tensor (*build)(struct net *n, tensor x, const void *arg);
    /** Computes the result: x planar (c,h,w), out planar in the shape that build's result has. */
    void (*reference)(const float *x, float *out, const void *arg);
    const void *arg;
    double f32, f16;       /**< largest relative L2 error in each storage precision; 0: not run in this one */
    bool no_fuse;          /**< run the graph as it was built */
    uint32_t conv_variant; /**< of struct net_program_params */
};

/** Runs the case and asserts all of the above. Cases that --only leaves out are not run. */
void harness_check(const struct harness_case *test);

/** A test program. Returns the process's exit status: not 0 after a failure or a message of the validation layer. */
int harness_main(int argc, char **argv, const char *suite, CU_TestInfo *tests);

/**
 * The weight `name` of this shape, malloc'ed: what the graph under test reads too. Rules by the name's last part as in the
 * reference network's procedural checkpoint (running_var is positive, matrices are scaled by their fan-in, ...).
 */
float *harness_weight(const char *name, uint32_t rank, const uint64_t *shape);
/** harness_weight of "scope.suffix" with a shape of up to four sizes; a size of 0 ends it. */
float *harness_weight_of(const char *scope, const char *suffix, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
/** Number i of the sequence `name`, in [-1, 1). */
float harness_uniform(const char *name, uint64_t i);

/* ---- for tests that need more than one output ---------------------------------------------------- */

struct gpu *harness_gpu(void);
/** Makes lowerings choose as on a GPU, or as the device is: lets a CPU driver run what it would never be given. */
void harness_pretend_gpu(bool pretend);
/** Makes lowerings choose as on a device that does not promise whole subgroups, or as the device is. */
void harness_pretend_no_subgroups(bool pretend);
/** A net whose weights come from harness_weight(). */
struct net *harness_net(void);
/** Fills the arena with NaN, uploads the planar input, runs all passes and waits. */
bool harness_run(const struct net_program *program, const float *x, struct segman_error *error);
/** Runs again without filling the arena first. */
bool harness_rerun(const struct net_program *program, const float *x, struct segman_error *error);
/** Reads a tensor as planar floats, malloc'ed; NULL after an error. *clean (may be NULL): its padding channels hold zeros. */
float *harness_read(const struct net_memory *memory, bool *clean);
/** sqrt(sum (a - b)^2 / sum b^2); infinite where a holds a NaN. *max (may be NULL): largest |a - b|. */
double harness_error(const float *a, const float *b, size_t count, double *max);
/** The input of a case, rounded to float16 so that both precisions start from the same numbers. */
float *harness_input(const struct harness_case *test);

#endif
