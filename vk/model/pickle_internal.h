/* SPDX-License-Identifier: Apache-2.0 */
/** pickle_internal.h: what the machine (pickle.c) shares with the functions it carries out (pickle_call.c). */
#ifndef MODEL_PICKLE_INTERNAL_H
#define MODEL_PICKLE_INTERNAL_H

#include "pickle.h"

/* Every container of Python's pickler keeps one mark open, and Python itself stops at about 1,000 levels. */
#define PICKLE_MAX_MARKS 1000
/* A checkpoint of SegMAN-L with optimizer state takes about 2 MB. */
#define PICKLE_MAX_MEMORY (256u << 20)

#define PICKLE_CHUNK_VALUES 512

struct pickle_chunk {
    struct pickle_chunk *next;
    size_t used;
    struct pickle_value values[PICKLE_CHUNK_VALUES];
};

struct pickle_block {
    struct pickle_block *next;
};

struct pickle {
    const uint8_t *bytes;
    size_t size, at;
    struct pickle_value **stack;
    size_t depth, stack_capacity;
    struct pickle_value **memo;
    size_t memo_capacity, memo_next; /* memo_next: where MEMOIZE puts */
    size_t marks[PICKLE_MAX_MARKS];  /* stack depths */
    size_t n_marks;
    struct pickle_chunk *chunks;
    struct pickle_block *blocks;
    uint64_t spent; /* bytes, against PICKLE_MAX_MEMORY */
    struct pickle_value *root;
    char why[320];
};

/** What became of an opcode. */
enum pickle_step { PICKLE_STEP_DONE, PICKLE_STEP_FAILED, PICKLE_STEP_UNKNOWN };

static inline enum pickle_step pickle_step_of(bool ok)
{
    return ok ? PICKLE_STEP_DONE : PICKLE_STEP_FAILED;
}

enum pickle_call {
    PICKLE_CALL_OPAQUE,
    PICKLE_CALL_DICT,
    PICKLE_CALL_TENSOR,
    PICKLE_CALL_PARAMETER,
    PICKLE_CALL_FROM_TYPE,
    PICKLE_CALL_STORAGE_TYPE, /* is never called, only named */
};

struct pickle_global {
    const char *module, *name;
    enum pickle_call call;
    struct checkpoint_type type; /* of a storage */
};

/** NULL, and the error names it, where it is unknown. */
const struct pickle_global *pickle_find_global(struct pickle *pickle, const char *module, size_t module_length, const char *name,
                                               size_t name_length);
/** callable(*args); NULL on error. */
struct pickle_value *pickle_call(struct pickle *pickle, const struct pickle_value *callable, const struct pickle_value *args);
/** The storage that a persistent id stands for; NULL on error. */
struct pickle_value *pickle_storage(struct pickle *pickle, const struct pickle_value *id);

/** A new value; NULL on error. */
struct pickle_value *pickle_new(struct pickle *pickle, enum pickle_kind kind);
/** Memory that lives as long as the pickle; NULL on error. */
void *pickle_allocate(struct pickle *pickle, size_t size);
/** Makes room for need pointers, the new ones NULL; false on error. */
bool pickle_grow(struct pickle *pickle, struct pickle_value ***array, size_t *capacity, size_t need);
/** Appends to a tuple, list or dict; false on error. */
bool pickle_append(struct pickle *pickle, struct pickle_value *list, struct pickle_value *item);
/** Pushes a value; false on error, and where value is NULL because making it failed. */
bool pickle_push(struct pickle *pickle, struct pickle_value *value);

/** The next n bytes of the pickle; NULL where it ends before. */
const uint8_t *pickle_take(struct pickle *pickle, uint64_t n);
/** The next n bytes as a little-endian number. */
bool pickle_take_number(struct pickle *pickle, unsigned n, uint64_t *number);
/** Carries out an opcode of the kind number or text. */
enum pickle_step pickle_step_constant(struct pickle *pickle, uint8_t opcode);

/** Sets the error unless one is set; returns false. */
bool pickle_fail(struct pickle *pickle, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
