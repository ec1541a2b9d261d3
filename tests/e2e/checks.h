/* SPDX-License-Identifier: Apache-2.0 */
/** checks.h: what several suites assert about files. */
#ifndef E2E_CHECKS_H
#define E2E_CHECKS_H

#include <CUnit/CUnit.h>

#include "media.h"
#include "program.h"

/** The first `count` times of both are the same to a millisecond (count 0: all of them, and as many). */
void check_times(const struct media *in, const struct media *out, guint count);
/** The sound's packets are bit for bit those of the input. */
void check_sound(const struct media *in, const struct media *out);
/** Share of equal pixels of two one-plane pictures; 0 where their sizes differ. */
double equal_share(GBytes *a, GBytes *b);
/** Nothing is left of an output, neither under its name nor under a temporary one. */
void check_nothing(const char *name);

void suite_generated(void);
void suite_clips(void);
void suite_bad(void);

#endif
