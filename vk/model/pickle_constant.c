/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a pickle and the opcodes that make numbers and texts of them. */
#include "pickle_internal.h"

#include <string.h>

/* ---- bytes of the pickle -------------------------------------------------------------------------- */

/* The next n bytes; NULL where the pickle ends before. */
const uint8_t *pickle_take(struct pickle *pickle, uint64_t n)
{
    const uint8_t *bytes = pickle->bytes + pickle->at;
    if (n > pickle->size - pickle->at) {
        pickle_fail(pickle, "it is truncated");
        return NULL;
    }
    pickle->at += n;
    return bytes;
}

/* A little-endian number of n bytes. */
bool pickle_take_number(struct pickle *pickle, unsigned n, uint64_t *number)
{
    const uint8_t *bytes = pickle_take(pickle, n);
    *number = 0;
    for (unsigned i = 0; bytes && i < n; i++)
        *number |= (uint64_t)bytes[i] << 8 * i;
    return bytes != NULL;
}

static bool push_integer(struct pickle *pickle, enum pickle_kind kind, int64_t integer)
{
    struct pickle_value *value = pickle_new(pickle, kind);
    if (value)
        value->integer = integer;
    return pickle_push(pickle, value);
}

static bool push_number(struct pickle *pickle, unsigned bytes)
{
    uint64_t number;
    if (!pickle_take_number(pickle, bytes, &number))
        return false;
    return push_integer(pickle, PICKLE_INT, bytes == 4 ? (int32_t)(uint32_t)number : (int64_t)number);
}

/* A number of any length in two's complement; what does not fit 64 bits is of no use here. */
static bool push_long(struct pickle *pickle, unsigned length_bytes)
{
    uint64_t length, number = 0;
    const uint8_t *bytes = pickle_take_number(pickle, length_bytes, &length) ? pickle_take(pickle, length) : NULL;
    if (!bytes)
        return false;
    if (length > 8)
        return pickle_push(pickle, pickle_new(pickle, PICKLE_OPAQUE));
    for (uint64_t i = 0; i < 8; i++) {
        uint64_t fill = length && bytes[length - 1] & 0x80 ? 0xff : 0;
        number |= (i < length ? bytes[i] : fill) << 8 * i;
    }
    return push_integer(pickle, PICKLE_INT, (int64_t)number);
}

static bool push_float(struct pickle *pickle)
{
    const uint8_t *bytes = pickle_take(pickle, 8);
    uint64_t bits = 0;
    struct pickle_value *value = bytes ? pickle_new(pickle, PICKLE_FLOAT) : NULL;
    if (!value)
        return false;
    for (unsigned i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    memcpy(&value->real, &bits, sizeof(value->real));
    return pickle_push(pickle, value);
}

/* Texts become values, byte strings opaque ones. */
static bool push_text(struct pickle *pickle, enum pickle_kind kind, unsigned length_bytes)
{
    uint64_t length;
    const uint8_t *bytes = pickle_take_number(pickle, length_bytes, &length) ? pickle_take(pickle, length) : NULL;
    struct pickle_value *value = bytes ? pickle_new(pickle, kind) : NULL;
    if (value && kind == PICKLE_TEXT) {
        value->text.bytes = (const char *)bytes;
        value->text.length = length;
    }
    return pickle_push(pickle, value);
}

enum pickle_step pickle_step_constant(struct pickle *pickle, uint8_t opcode)
{
    switch (opcode) {
    case 'N':
        return pickle_step_of(pickle_push(pickle, pickle_new(pickle, PICKLE_NONE)));
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return pickle_step_of(push_integer(pickle, PICKLE_BOOL, opcode == 0x88));
    case 'K': /* BININT1 */
        return pickle_step_of(push_number(pickle, 1));
    case 'M': /* BININT2 */
        return pickle_step_of(push_number(pickle, 2));
    case 'J': /* BININT */
        return pickle_step_of(push_number(pickle, 4));
    case 0x8a: /* LONG1 */
        return pickle_step_of(push_long(pickle, 1));
    case 0x8b: /* LONG4 */
        return pickle_step_of(push_long(pickle, 4));
    case 'G': /* BINFLOAT */
        return pickle_step_of(push_float(pickle));
    case 'U':  /* SHORT_BINSTRING: Python 2's str */
    case 0x8c: /* SHORT_BINUNICODE */
        return pickle_step_of(push_text(pickle, PICKLE_TEXT, 1));
    case 'T': /* BINSTRING */
    case 'X': /* BINUNICODE */
        return pickle_step_of(push_text(pickle, PICKLE_TEXT, 4));
    case 0x8d: /* BINUNICODE8 */
        return pickle_step_of(push_text(pickle, PICKLE_TEXT, 8));
    case 'C': /* SHORT_BINBYTES */
        return pickle_step_of(push_text(pickle, PICKLE_OPAQUE, 1));
    case 'B': /* BINBYTES */
        return pickle_step_of(push_text(pickle, PICKLE_OPAQUE, 4));
    case 0x8e: /* BINBYTES8 */
    case 0x96: /* BYTEARRAY8 */
        return pickle_step_of(push_text(pickle, PICKLE_OPAQUE, 8));
    default:
        return PICKLE_STEP_UNKNOWN;
    }
}
