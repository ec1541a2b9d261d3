/* SPDX-License-Identifier: Apache-2.0 */
#include "pickle_internal.h"

#include <string.h>

/*
 * The functions and classes that torch.save, mmcv and mmengine put into checkpoints. Opaque ones are
 * what training leaves behind: NumPy numbers (best score, random palettes), logging buffers, sets.
 */
static const struct pickle_global globals[] = {
    {"collections", "OrderedDict", PICKLE_CALL_DICT, {0}},
    {"torch._utils", "_rebuild_tensor_v2", PICKLE_CALL_TENSOR, {0}},
    {"torch._utils", "_rebuild_tensor", PICKLE_CALL_TENSOR, {0}},
    {"torch._utils", "_rebuild_parameter", PICKLE_CALL_PARAMETER, {0}},
    {"torch._utils", "_rebuild_parameter_with_state", PICKLE_CALL_PARAMETER, {0}},
    {"torch._tensor", "_rebuild_from_type_v2", PICKLE_CALL_FROM_TYPE, {0}},

    {"torch", "FloatStorage", PICKLE_CALL_STORAGE_TYPE, {"F32", CHECKPOINT_F32, 4}},
    {"torch", "HalfStorage", PICKLE_CALL_STORAGE_TYPE, {"F16", CHECKPOINT_F16, 2}},
    {"torch", "BFloat16Storage", PICKLE_CALL_STORAGE_TYPE, {"BF16", CHECKPOINT_BF16, 2}},
    {"torch", "DoubleStorage", PICKLE_CALL_STORAGE_TYPE, {"F64", CHECKPOINT_F64, 8}},
    {"torch", "LongStorage", PICKLE_CALL_STORAGE_TYPE, {"I64", CHECKPOINT_OTHER, 8}},
    {"torch", "IntStorage", PICKLE_CALL_STORAGE_TYPE, {"I32", CHECKPOINT_OTHER, 4}},
    {"torch", "ShortStorage", PICKLE_CALL_STORAGE_TYPE, {"I16", CHECKPOINT_OTHER, 2}},
    {"torch", "CharStorage", PICKLE_CALL_STORAGE_TYPE, {"I8", CHECKPOINT_OTHER, 1}},
    {"torch", "ByteStorage", PICKLE_CALL_STORAGE_TYPE, {"U8", CHECKPOINT_OTHER, 1}},
    {"torch", "BoolStorage", PICKLE_CALL_STORAGE_TYPE, {"BOOL", CHECKPOINT_OTHER, 1}},
    {"torch", "ComplexFloatStorage", PICKLE_CALL_STORAGE_TYPE, {"C64", CHECKPOINT_OTHER, 8}},
    {"torch", "ComplexDoubleStorage", PICKLE_CALL_STORAGE_TYPE, {"C128", CHECKPOINT_OTHER, 16}},

    {"torch", "Size", PICKLE_CALL_OPAQUE, {0}},
    {"torch", "Tensor", PICKLE_CALL_OPAQUE, {0}},
    {"torch", "device", PICKLE_CALL_OPAQUE, {0}},
    {"torch.nn.parameter", "Parameter", PICKLE_CALL_OPAQUE, {0}},
    {"argparse", "Namespace", PICKLE_CALL_OPAQUE, {0}},
    {"collections", "defaultdict", PICKLE_CALL_OPAQUE, {0}},
    {"collections", "deque", PICKLE_CALL_OPAQUE, {0}},
    {"collections", "Counter", PICKLE_CALL_OPAQUE, {0}},
    {"builtins", "dict", PICKLE_CALL_OPAQUE, {0}},
    {"__builtin__", "dict", PICKLE_CALL_OPAQUE, {0}},
    {"builtins", "list", PICKLE_CALL_OPAQUE, {0}},
    {"__builtin__", "list", PICKLE_CALL_OPAQUE, {0}},
    {"builtins", "set", PICKLE_CALL_OPAQUE, {0}},
    {"__builtin__", "set", PICKLE_CALL_OPAQUE, {0}},
    {"builtins", "frozenset", PICKLE_CALL_OPAQUE, {0}},
    {"__builtin__", "frozenset", PICKLE_CALL_OPAQUE, {0}},
    {"builtins", "getattr", PICKLE_CALL_OPAQUE, {0}}, /* mmengine's HistoryBuffer names its own methods */
    {"__builtin__", "getattr", PICKLE_CALL_OPAQUE, {0}},
    {"_codecs", "encode", PICKLE_CALL_OPAQUE, {0}}, /* bytes, in protocol 2 */
    {"numpy", "dtype", PICKLE_CALL_OPAQUE, {0}},
    {"numpy", "ndarray", PICKLE_CALL_OPAQUE, {0}},
    {"numpy.core.multiarray", "scalar", PICKLE_CALL_OPAQUE, {0}},
    {"numpy.core.multiarray", "_reconstruct", PICKLE_CALL_OPAQUE, {0}},
    {"numpy._core.multiarray", "scalar", PICKLE_CALL_OPAQUE, {0}},
    {"numpy._core.multiarray", "_reconstruct", PICKLE_CALL_OPAQUE, {0}},
    {"mmengine.logging.history_buffer", "HistoryBuffer", PICKLE_CALL_OPAQUE, {0}},
    {"mmengine.config.config", "ConfigDict", PICKLE_CALL_OPAQUE, {0}},
    {"mmcv.utils.config", "ConfigDict", PICKLE_CALL_OPAQUE, {0}},
};

static bool same_text(const char *text, const char *bytes, size_t length)
{
    return strlen(text) == length && memcmp(text, bytes, length) == 0;
}

const struct pickle_global *pickle_find_global(struct pickle *pickle, const char *module, size_t module_length, const char *name,
                                               size_t name_length)
{
    char text[2][80];
    for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
        if (same_text(globals[i].module, module, module_length) && same_text(globals[i].name, name, name_length))
            return &globals[i];
    }
    pickle_fail(pickle, "it names the function or class \"%s.%s\", which is not one that checkpoints need; nothing was executed",
                checkpoint_clean(text[0], sizeof(text[0]), module, module_length),
                checkpoint_clean(text[1], sizeof(text[1]), name, name_length));
    return NULL;
}

static bool is_size(const struct pickle_value *value)
{
    return value->kind == PICKLE_INT && value->integer >= 0;
}

/* A tuple of sizes, such as a shape. */
static bool take_sizes(struct pickle *pickle, const struct pickle_value *tuple, uint64_t *sizes, uint32_t *rank)
{
    if (tuple->kind != PICKLE_TUPLE || tuple->list.count > CHECKPOINT_MAX_RANK)
        return pickle_fail(pickle, "a tensor's shape or strides are not a tuple of at most %d numbers", CHECKPOINT_MAX_RANK);
    *rank = (uint32_t)tuple->list.count;
    for (uint32_t i = 0; i < *rank; i++) {
        if (!is_size(tuple->list.items[i]))
            return pickle_fail(pickle, "a tensor's shape or strides have an entry that is not a size");
        sizes[i] = (uint64_t)tuple->list.items[i]->integer;
    }
    return true;
}

/* The last element that shape, strides and offset reach must be within the storage. */
static bool check_reach(struct pickle *pickle, const struct pickle_tensor *tensor)
{
    uint64_t last = tensor->offset, step;
    bool fits = true, empty = false;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] == 0)
            empty = true;
        else
            fits =
                fits && checkpoint_multiply(tensor->shape[i] - 1, tensor->strides[i], &step) && !__builtin_add_overflow(last, step, &last);
    }
    if (empty ? tensor->offset <= tensor->storage->storage.count : fits && last < tensor->storage->storage.count)
        return true;
    return pickle_fail(pickle, "a tensor reaches beyond its storage of %llu elements", (unsigned long long)tensor->storage->storage.count);
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, ...) */
static struct pickle_value *call_tensor(struct pickle *pickle, const struct pickle_value *args)
{
    struct pickle_value *const *arg = args->list.items;
    uint32_t stride_rank = 0;
    if (args->list.count < 4 || arg[0]->kind != PICKLE_STORAGE || !is_size(arg[1])) {
        pickle_fail(pickle, "a tensor is not made of storage, offset, shape and strides");
        return NULL;
    }
    struct pickle_value *value = pickle_new(pickle, PICKLE_TENSOR);
    struct pickle_tensor *tensor = value ? pickle_allocate(pickle, sizeof(*tensor)) : NULL;
    if (!tensor)
        return NULL;
    value->tensor = tensor;
    tensor->storage = arg[0];
    tensor->offset = (uint64_t)arg[1]->integer;
    if (!take_sizes(pickle, arg[2], tensor->shape, &tensor->rank) || !take_sizes(pickle, arg[3], tensor->strides, &stride_rank))
        return NULL;
    if (stride_rank != tensor->rank) {
        pickle_fail(pickle, "a tensor has %u dimensions but %u strides", tensor->rank, stride_rank);
        return NULL;
    }
    return check_reach(pickle, tensor) ? value : NULL;
}

/* OrderedDict() or OrderedDict([(key, value), ...]) */
static struct pickle_value *call_dict(struct pickle *pickle, const struct pickle_value *args)
{
    struct pickle_value *dict = pickle_new(pickle, PICKLE_DICT);
    if (!dict || args->list.count == 0)
        return dict;
    const struct pickle_value *pairs = args->list.items[0];
    bool ok = args->list.count == 1 && pairs->kind == PICKLE_LIST;
    for (size_t i = 0; ok && i < pairs->list.count; i++) {
        const struct pickle_value *pair = pairs->list.items[i];
        ok = (pair->kind == PICKLE_TUPLE || pair->kind == PICKLE_LIST) && pair->list.count == 2;
        if (ok && (!pickle_append(pickle, dict, pair->list.items[0]) || !pickle_append(pickle, dict, pair->list.items[1])))
            return NULL;
    }
    if (!ok)
        pickle_fail(pickle, "an OrderedDict is not made of pairs");
    return ok ? dict : NULL;
}

/* _rebuild_parameter(tensor, requires_grad, hooks) */
static struct pickle_value *call_parameter(struct pickle *pickle, const struct pickle_value *args)
{
    if (args->list.count >= 1 && args->list.items[0]->kind == PICKLE_TENSOR)
        return args->list.items[0];
    pickle_fail(pickle, "a parameter is not made of a tensor");
    return NULL;
}

/* _rebuild_from_type_v2(function, type, arguments, state): a tensor with attributes */
static struct pickle_value *call_from_type(struct pickle *pickle, const struct pickle_value *args)
{
    struct pickle_value *const *arg = args->list.items;
    bool ok = args->list.count == 4 && arg[0]->kind == PICKLE_GLOBAL && arg[2]->kind == PICKLE_TUPLE;
    if (ok && arg[0]->global->call == PICKLE_CALL_TENSOR)
        return call_tensor(pickle, arg[2]);
    if (ok && arg[0]->global->call == PICKLE_CALL_PARAMETER)
        return call_parameter(pickle, arg[2]);
    pickle_fail(pickle, "a tensor with attributes is not made of a tensor");
    return NULL;
}

struct pickle_value *pickle_call(struct pickle *pickle, const struct pickle_value *callable, const struct pickle_value *args)
{
    if (callable->kind == PICKLE_OPAQUE)
        return pickle_new(pickle, PICKLE_OPAQUE);
    if (callable->kind != PICKLE_GLOBAL || args->kind != PICKLE_TUPLE) {
        pickle_fail(pickle, "it calls something that is not a function");
        return NULL;
    }
    switch (callable->global->call) {
    case PICKLE_CALL_OPAQUE:
        return pickle_new(pickle, PICKLE_OPAQUE);
    case PICKLE_CALL_DICT:
        return call_dict(pickle, args);
    case PICKLE_CALL_TENSOR:
        return call_tensor(pickle, args);
    case PICKLE_CALL_PARAMETER:
        return call_parameter(pickle, args);
    case PICKLE_CALL_FROM_TYPE:
        return call_from_type(pickle, args);
    case PICKLE_CALL_STORAGE_TYPE:
        break;
    }
    pickle_fail(pickle, "it calls %s.%s, which checkpoints only name", callable->global->module, callable->global->name);
    return NULL;
}

/* ("storage", type, key, location, elements) */
struct pickle_value *pickle_storage(struct pickle *pickle, const struct pickle_value *id)
{
    struct pickle_value *const *item = id->list.items;
    bool ok = id->kind == PICKLE_TUPLE && id->list.count == 5 && item[0]->kind == PICKLE_TEXT && item[1]->kind == PICKLE_GLOBAL;
    ok = ok && same_text("storage", item[0]->text.bytes, item[0]->text.length) && item[1]->global->call == PICKLE_CALL_STORAGE_TYPE;
    ok = ok && item[2]->kind == PICKLE_TEXT && is_size(item[4]);
    if (!ok) {
        pickle_fail(pickle, "a persistent id is not one of a torch storage");
        return NULL;
    }
    struct pickle_value *value = pickle_new(pickle, PICKLE_STORAGE);
    if (!value)
        return NULL;
    value->storage.type = &item[1]->global->type;
    value->storage.key = item[2]->text.bytes;
    value->storage.key_length = item[2]->text.length;
    value->storage.count = (uint64_t)item[4]->integer;
    return value;
}
