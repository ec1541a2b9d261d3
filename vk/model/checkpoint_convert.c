/* SPDX-License-Identifier: Apache-2.0 */
#include "../half.h"
#include "checkpoint_internal.h"
#include "dataset.h"

#include <math.h>
#include <string.h>

/* Both formats are little-endian and so are all machines with a Vulkan driver that we know of. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights are read as little-endian");

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static float load_f32(const uint8_t *from)
{
    float value;
    memcpy(&value, from, sizeof(value));
    return value;
}

static float load_f16(const uint8_t *from)
{
    uint16_t bits;
    memcpy(&bits, from, sizeof(bits));
    return half_to_float(bits);
}

static float load_bf16(const uint8_t *from)
{
    uint16_t bits;
    memcpy(&bits, from, sizeof(bits));
    return float_of_bits((uint32_t)bits << 16);
}

static float load_f64(const uint8_t *from)
{
    double value;
    memcpy(&value, from, sizeof(value));
    return fabs(value) < 0x1.ffffffp127 ? (float)value : INFINITY; /* what would round to infinity, and NaN */
}

#define CONVERT(load, bytes)                                                                                                               \
    for (uint64_t i = 0; i < n; i++) {                                                                                                     \
        to[i] = load(from + i * bytes);                                                                                                    \
        if (!isfinite(to[i]))                                                                                                              \
            return i;                                                                                                                      \
    }                                                                                                                                      \
    return n

uint64_t checkpoint_convert(enum checkpoint_dtype dtype, const uint8_t *from, uint64_t n, float *to)
{
    switch (dtype) {
    case CHECKPOINT_F32:
        CONVERT(load_f32, 4);
    case CHECKPOINT_F16:
        CONVERT(load_f16, 2);
    case CHECKPOINT_BF16:
        CONVERT(load_bf16, 2);
    case CHECKPOINT_F64:
        CONVERT(load_f64, 8);
    case CHECKPOINT_OTHER:
        break;
    }
    return 0;
}

const char *checkpoint_clean(char *out, size_t size, const char *text, size_t length)
{
    size_t skip = length > size - 1 ? length - (size - 1) + 3 : 0, n = 0;
    if (skip) {
        memcpy(out, "...", 3);
        n = 3;
    }
    for (size_t i = skip; i < length; i++, n++) {
        /* An escape sequence in a file must not reach the terminal; bytes of UTF-8 may. */
        unsigned char c = (unsigned char)text[i];
        out[n] = c < 0x20 || c == 0x7f ? '?' : text[i];
    }
    out[n] = 0;
    if (!dataset_text_valid(out, n)) {
        for (size_t i = 0; i < n; i++)
            out[i] = (unsigned char)out[i] < 0x80 ? out[i] : '?';
    }
    return out;
}

const char *checkpoint_shape_text(char *out, size_t size, uint32_t rank, const uint64_t *shape)
{
    size_t n = 0;
    snprintf(out, size, "scalar");
    for (uint32_t i = 0; i < rank && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, i ? "x%llu" : "%llu", (unsigned long long)shape[i]);
    return out;
}

bool checkpoint_multiply(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

bool checkpoint_ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}
