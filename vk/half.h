/* SPDX-License-Identifier: Apache-2.0 */
/** half.h: IEEE 754 binary16 on the host. */
#ifndef NET_HALF_H
#define NET_HALF_H

#include <stdint.h>

/** Round to nearest even; overflow to infinity. */
uint16_t half_from_float(float f);
/** Exact. */
float half_to_float(uint16_t h);

#endif
