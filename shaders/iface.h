/* SPDX-License-Identifier: Apache-2.0 */
/**
 * iface.h: push constants, compiled both as C and as GLSL. One section an op. Strides and offsets of tensors are in
 * quads (four channels); sizes in pixels unless said otherwise.
 */
#ifndef SHADERS_IFACE_H
#define SHADERS_IFACE_H

#ifdef __STDC__
#include <stdint.h>
#define uint uint32_t
#endif

#ifdef __STDC__
#undef uint
#endif
#endif
