/* SPDX-License-Identifier: Apache-2.0 */
/** numbers.h: a clip whose frames tell which ones they are, and a model that costs next to nothing. */
#ifndef TESTS_WINDOW_NUMBERS_H
#define TESTS_WINDOW_NUMBERS_H

#include "screen.h"

#define CLIP        "numbers.mkv"
#define CLIP_FPS    10
#define CLIP_FRAMES 900
#define TINY        "./tiny.safetensors" /* for networks of 96x96 */

/** Writes CLIP: plain gray frames of 64x48, the shade counts. */
bool numbers_clip(void);
/** Writes TINY: all of the network's ops, and next to no arithmetic. */
bool numbers_model(void);
/** Time of the frame that is shown, in seconds; -1: none. */
double numbers_pts(const struct screen *s);
/** The frame that is shown is the one that its time says, by its shade. */
bool numbers_right(const struct screen *s);

#endif
