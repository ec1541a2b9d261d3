/* SPDX-License-Identifier: Apache-2.0 */
/**
 * pickle.h: reads the pickle of a torch.save file as data. Nothing is ever executed or imported:
 * the few functions that such pickles name (OrderedDict, _rebuild_tensor_v2, ...) are carried out
 * here by building values, some others (optimizer and logging state) become opaque values, and
 * everything unknown is an error that names it.
 *
 * The machine has no recursion, so nesting and cycles cost nothing; stack, memo, marks and memory
 * are bounded.
 */
#ifndef MODEL_PICKLE_H
#define MODEL_PICKLE_H

#include "checkpoint_internal.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_FLOAT,
    PICKLE_TEXT, /* str; the bytes are in the pickle, not checked for UTF-8, without a final zero */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT, /* items: key, value, key, value ... in the file's order; a key may come twice */
    PICKLE_GLOBAL,
    PICKLE_STORAGE,
    PICKLE_TENSOR,
    PICKLE_OPAQUE, /* something that is known to be of no use here */
};

struct pickle_global;

struct pickle_tensor {
    const struct pickle_value *storage;
    uint64_t offset; /* elements; offset and strides have been checked against the storage's size */
    uint32_t rank;
    uint64_t shape[CHECKPOINT_MAX_RANK], strides[CHECKPOINT_MAX_RANK];
};

struct pickle_value {
    enum pickle_kind kind;
    union {
        int64_t integer; /* and bool */
        double real;
        struct {
            const char *bytes;
            size_t length;
        } text;
        struct {
            struct pickle_value **items;
            size_t count, capacity;
        } list; /* and tuple, dict */
        const struct pickle_global *global;
        struct {
            const struct checkpoint_type *type;
            const char *key;
            size_t key_length;
            uint64_t count; /* elements */
        } storage;
        struct pickle_tensor *tensor;
    };
};

struct pickle;

/** Parses; bytes must outlive the result. NULL: why says what is wrong, as the end of a sentence. */
struct pickle *pickle_parse(const uint8_t *bytes, size_t size, char *why, size_t why_size);
void pickle_destroy(struct pickle *pickle);
const struct pickle_value *pickle_root(const struct pickle *pickle);
/** The value of a text key (the last one, as Python has it); NULL where absent or where dict is NULL or no dictionary. */
const struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key);

#endif
