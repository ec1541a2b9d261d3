/* SPDX-License-Identifier: Apache-2.0 */
/** bytes.h: big-endian numbers at any address. */
#ifndef PIPELINE_BYTES_H
#define PIPELINE_BYTES_H

#include <stdint.h>

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t get64(const uint8_t *p)
{
    return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static inline void set32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static inline void set64(uint8_t *p, uint64_t value)
{
    set32(p, (uint32_t)(value >> 32));
    set32(p + 4, (uint32_t)value);
}

#endif
