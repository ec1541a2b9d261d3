/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pickle machine: a loop over one-byte opcodes, a stack, marks on it, and a memo. Opcodes of
 * protocols 2 to 5 that Python's pickler writes for data are known; see Python's pickletools for
 * their meaning.
 */
#include "pickle_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- bytes of the pickle -------------------------------------------------------------------------- */

static bool take_line(struct pickle *pickle, const char **line, size_t *length)
{
    const uint8_t *begin = pickle->bytes + pickle->at;
    const uint8_t *end = memchr(begin, '\n', pickle->size - pickle->at);
    if (!end)
        return pickle_fail(pickle, "it is truncated");
    *line = (const char *)begin;
    *length = (size_t)(end - begin);
    pickle->at += *length + 1;
    return true;
}

/* ---- the stack --------------------------------------------------------------------------------------- */

/* Nothing below the topmost mark may be touched. */
static size_t stack_floor(const struct pickle *pickle)
{
    return pickle->n_marks ? pickle->marks[pickle->n_marks - 1] : 0;
}

static struct pickle_value *pop(struct pickle *pickle)
{
    if (pickle->depth <= stack_floor(pickle)) {
        pickle_fail(pickle, "its stack underflows");
        return NULL;
    }
    return pickle->stack[--pickle->depth];
}

static struct pickle_value *top(struct pickle *pickle)
{
    struct pickle_value *value = pop(pickle);
    if (value)
        pickle->depth++;
    return value;
}

/* Takes the topmost mark off; *first is the place of what lay above it. */
static bool pop_mark(struct pickle *pickle, size_t *first)
{
    if (pickle->n_marks == 0)
        return pickle_fail(pickle, "it uses a mark that is not set");
    *first = pickle->marks[--pickle->n_marks];
    return true;
}

static bool push_mark(struct pickle *pickle)
{
    if (pickle->n_marks == PICKLE_MAX_MARKS)
        return pickle_fail(pickle, "it is nested more than %d levels deep", PICKLE_MAX_MARKS);
    pickle->marks[pickle->n_marks++] = pickle->depth;
    return true;
}

/* Moves everything from place first upwards into a list, tuple or dict (an opaque one swallows it). */
static bool move_items(struct pickle *pickle, struct pickle_value *list, size_t first)
{
    if (!list)
        return false;
    for (size_t i = first; list->kind != PICKLE_OPAQUE && i < pickle->depth; i++) {
        if (!pickle_append(pickle, list, pickle->stack[i]))
            return false;
    }
    pickle->depth = first;
    return true;
}

/* ---- memo and marks --------------------------------------------------------------------------------------- */

/* Python numbers its memo one by one, so an index beyond the pickle's size cannot be. */
static bool memo_put(struct pickle *pickle, uint64_t index)
{
    struct pickle_value *value = top(pickle);
    if (!value)
        return false;
    if (index >= pickle->size)
        return pickle_fail(pickle, "it uses the memo index %llu, which is absurd", (unsigned long long)index);
    if (!pickle_grow(pickle, &pickle->memo, &pickle->memo_capacity, index + 1))
        return false;
    pickle->memo[index] = value;
    pickle->memo_next++;
    return true;
}

static bool memo_get(struct pickle *pickle, uint64_t index)
{
    if (index >= pickle->memo_capacity || !pickle->memo[index])
        return pickle_fail(pickle, "it asks for the memo entry %llu, which was not stored", (unsigned long long)index);
    return pickle_push(pickle, pickle->memo[index]);
}

static enum pickle_step step_memo(struct pickle *pickle, uint8_t opcode)
{
    uint64_t number;
    size_t first = 0;
    switch (opcode) {
    case 'q': /* BINPUT */
        return pickle_step_of(pickle_take_number(pickle, 1, &number) && memo_put(pickle, number));
    case 'r': /* LONG_BINPUT */
        return pickle_step_of(pickle_take_number(pickle, 4, &number) && memo_put(pickle, number));
    case 0x94: /* MEMOIZE */
        return pickle_step_of(memo_put(pickle, pickle->memo_next));
    case 'h': /* BINGET */
        return pickle_step_of(pickle_take_number(pickle, 1, &number) && memo_get(pickle, number));
    case 'j': /* LONG_BINGET */
        return pickle_step_of(pickle_take_number(pickle, 4, &number) && memo_get(pickle, number));
    case '(': /* MARK */
        return pickle_step_of(push_mark(pickle));
    case '0': /* POP */
        return pickle_step_of(pop(pickle) != NULL);
    case '1': /* POP_MARK */
        if (!pop_mark(pickle, &first))
            return PICKLE_STEP_FAILED;
        pickle->depth = first;
        return PICKLE_STEP_DONE;
    case '2': /* DUP */
        return pickle_step_of(pickle_push(pickle, top(pickle)));
    case 0x80: /* PROTO */
        if (!pickle_take_number(pickle, 1, &number))
            return PICKLE_STEP_FAILED;
        return pickle_step_of(number <= 5 || pickle_fail(pickle, "its protocol %u is unknown", (unsigned)number));
    case 0x95: /* FRAME: a hint for buffered readers */
        return pickle_step_of(pickle_take_number(pickle, 8, &number));
    default:
        return PICKLE_STEP_UNKNOWN;
    }
}

/* ---- containers ------------------------------------------------------------------------------------------- */

/* A new container of everything above the mark. */
static bool collect_marked(struct pickle *pickle, enum pickle_kind kind)
{
    size_t first = 0;
    if (!pop_mark(pickle, &first))
        return false;
    if (kind == PICKLE_DICT && (pickle->depth - first) % 2)
        return pickle_fail(pickle, "a dictionary has a key without value");
    struct pickle_value *value = pickle_new(pickle, kind);
    return move_items(pickle, value, first) && pickle_push(pickle, value);
}

/* A new tuple of the topmost n values. */
static bool collect_tuple(struct pickle *pickle, size_t n)
{
    if (pickle->depth - stack_floor(pickle) < n)
        return pickle_fail(pickle, "its stack underflows");
    struct pickle_value *value = pickle_new(pickle, PICKLE_TUPLE);
    return move_items(pickle, value, pickle->depth - n) && pickle_push(pickle, value);
}

/* Adds what lies above place first to the list or dictionary below it. */
static bool extend(struct pickle *pickle, enum pickle_kind kind, size_t first)
{
    if (first <= stack_floor(pickle))
        return pickle_fail(pickle, "its stack underflows");
    struct pickle_value *target = pickle->stack[first - 1];
    if (target->kind != kind && target->kind != PICKLE_OPAQUE)
        return pickle_fail(pickle, "it adds items to something that is not a %s", kind == PICKLE_DICT ? "dictionary" : "list");
    if (kind == PICKLE_DICT && (pickle->depth - first) % 2)
        return pickle_fail(pickle, "a dictionary has a key without value");
    return move_items(pickle, target, first);
}

static bool extend_marked(struct pickle *pickle, enum pickle_kind kind)
{
    size_t first = 0;
    return pop_mark(pickle, &first) && extend(pickle, kind, first);
}

static bool extend_top(struct pickle *pickle, enum pickle_kind kind, size_t n)
{
    if (pickle->depth - stack_floor(pickle) < n + 1)
        return pickle_fail(pickle, "its stack underflows");
    return extend(pickle, kind, pickle->depth - n);
}

static enum pickle_step step_container(struct pickle *pickle, uint8_t opcode)
{
    switch (opcode) {
    case ')': /* EMPTY_TUPLE */
        return pickle_step_of(pickle_push(pickle, pickle_new(pickle, PICKLE_TUPLE)));
    case ']': /* EMPTY_LIST */
        return pickle_step_of(pickle_push(pickle, pickle_new(pickle, PICKLE_LIST)));
    case '}': /* EMPTY_DICT */
        return pickle_step_of(pickle_push(pickle, pickle_new(pickle, PICKLE_DICT)));
    case 0x8f: /* EMPTY_SET */
        return pickle_step_of(pickle_push(pickle, pickle_new(pickle, PICKLE_OPAQUE)));
    case 't': /* TUPLE */
        return pickle_step_of(collect_marked(pickle, PICKLE_TUPLE));
    case 'l': /* LIST */
        return pickle_step_of(collect_marked(pickle, PICKLE_LIST));
    case 'd': /* DICT */
        return pickle_step_of(collect_marked(pickle, PICKLE_DICT));
    case 0x91: /* FROZENSET */
        return pickle_step_of(collect_marked(pickle, PICKLE_OPAQUE));
    case 0x85: /* TUPLE1, TUPLE2, TUPLE3 */
    case 0x86:
    case 0x87:
        return pickle_step_of(collect_tuple(pickle, opcode - 0x84u));
    case 'a': /* APPEND */
        return pickle_step_of(extend_top(pickle, PICKLE_LIST, 1));
    case 's': /* SETITEM */
        return pickle_step_of(extend_top(pickle, PICKLE_DICT, 2));
    case 'e':  /* APPENDS */
    case 0x90: /* ADDITEMS: only opaque sets exist here */
        return pickle_step_of(extend_marked(pickle, PICKLE_LIST));
    case 'u': /* SETITEMS */
        return pickle_step_of(extend_marked(pickle, PICKLE_DICT));
    default:
        return PICKLE_STEP_UNKNOWN;
    }
}

/* ---- objects ------------------------------------------------------------------------------------------------ */

static bool push_global(struct pickle *pickle, const char *module, size_t module_length, const char *name, size_t name_length)
{
    const struct pickle_global *global = pickle_find_global(pickle, module, module_length, name, name_length);
    struct pickle_value *value = global ? pickle_new(pickle, PICKLE_GLOBAL) : NULL;
    if (value)
        value->global = global;
    return pickle_push(pickle, value);
}

static bool global_from_lines(struct pickle *pickle)
{
    const char *module = NULL, *name = NULL;
    size_t module_length = 0, name_length = 0;
    return take_line(pickle, &module, &module_length) && take_line(pickle, &name, &name_length) &&
           push_global(pickle, module, module_length, name, name_length);
}

static bool global_from_stack(struct pickle *pickle)
{
    const struct pickle_value *name = pop(pickle), *module = name ? pop(pickle) : NULL;
    if (!module)
        return false;
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
        return pickle_fail(pickle, "it names a function by something that is not a text");
    return push_global(pickle, module->text.bytes, module->text.length, name->text.bytes, name->text.length);
}

static bool reduce(struct pickle *pickle)
{
    const struct pickle_value *args = pop(pickle), *callable = args ? pop(pickle) : NULL;
    return callable && pickle_push(pickle, pickle_call(pickle, callable, args));
}

/* NEWOBJ_EX has keyword arguments too; no class that is built here takes any. */
static bool reduce_with_keywords(struct pickle *pickle)
{
    const struct pickle_value *keywords = pop(pickle);
    if (keywords && (keywords->kind != PICKLE_DICT || keywords->list.count))
        return pickle_fail(pickle, "it makes an object with keyword arguments");
    return keywords && reduce(pickle);
}

/* State of an object (such as the version numbers of a state_dict): dropped. */
static bool build(struct pickle *pickle)
{
    const struct pickle_value *state = pop(pickle), *target = state ? top(pickle) : NULL;
    if (!target)
        return false;
    bool known = target->kind == PICKLE_DICT || target->kind == PICKLE_OPAQUE || target->kind == PICKLE_TENSOR;
    return known || pickle_fail(pickle, "it sets the state of something that has none");
}

static bool storage_from_id(struct pickle *pickle)
{
    const struct pickle_value *id = pop(pickle);
    return id && pickle_push(pickle, pickle_storage(pickle, id));
}

static enum pickle_step step_object(struct pickle *pickle, uint8_t opcode)
{
    switch (opcode) {
    case 'c': /* GLOBAL */
        return pickle_step_of(global_from_lines(pickle));
    case 0x93: /* STACK_GLOBAL */
        return pickle_step_of(global_from_stack(pickle));
    case 'R':  /* REDUCE */
    case 0x81: /* NEWOBJ */
        return pickle_step_of(reduce(pickle));
    case 0x92: /* NEWOBJ_EX */
        return pickle_step_of(reduce_with_keywords(pickle));
    case 'b': /* BUILD */
        return pickle_step_of(build(pickle));
    case 'Q': /* BINPERSID */
        return pickle_step_of(storage_from_id(pickle));
    default:
        return PICKLE_STEP_UNKNOWN;
    }
}

/* ---- the loop ------------------------------------------------------------------------------------------------- */

static bool run(struct pickle *pickle)
{
    static enum pickle_step (*const steps[])(struct pickle *, uint8_t) = {pickle_step_constant, step_memo, step_container, step_object};
    for (;;) {
        const uint8_t *opcode = pickle_take(pickle, 1);
        enum pickle_step step = PICKLE_STEP_UNKNOWN;
        if (!opcode)
            return false;
        if (*opcode == '.') { /* STOP */
            pickle->root = pop(pickle);
            return pickle->root != NULL;
        }
        for (size_t i = 0; step == PICKLE_STEP_UNKNOWN && i < sizeof(steps) / sizeof(steps[0]); i++)
            step = steps[i](pickle, *opcode);
        if (step == PICKLE_STEP_FAILED)
            return false;
        if (step == PICKLE_STEP_UNKNOWN)
            return pickle_fail(pickle, "it has the opcode 0x%02x ('%c'), which is not one that checkpoints need", *opcode,
                               *opcode >= 0x20 && *opcode < 0x7f ? *opcode : '?');
    }
}

struct pickle *pickle_parse(const uint8_t *bytes, size_t size, char *why, size_t why_size)
{
    struct pickle *pickle = calloc(1, sizeof(*pickle));
    if (!pickle) {
        snprintf(why, why_size, "memory ran out");
        return NULL;
    }
    pickle->bytes = bytes;
    pickle->size = size;
    if (!run(pickle)) {
        snprintf(why, why_size, "%s (at byte %zu)", pickle->why[0] ? pickle->why : "it is damaged", pickle->at);
        pickle_destroy(pickle);
        return NULL;
    }
    return pickle;
}

const struct pickle_value *pickle_root(const struct pickle *pickle)
{
    return pickle->root;
}

const struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key)
{
    const size_t length = strlen(key);
    if (!dict || dict->kind != PICKLE_DICT)
        return NULL;
    for (size_t i = dict->list.count; i >= 2; i -= 2) {
        const struct pickle_value *k = dict->list.items[i - 2];
        if (k->kind == PICKLE_TEXT && k->text.length == length && memcmp(k->text.bytes, key, length) == 0)
            return dict->list.items[i - 1];
    }
    return NULL;
}
