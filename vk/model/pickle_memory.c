/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a pickle and the memory that they take, which is bounded and freed as a whole. */
#include "pickle_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool pickle_fail(struct pickle *pickle, const char *format, ...)
{
    if (pickle->why[0])
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(pickle->why, sizeof(pickle->why), format, args);
    va_end(args);
    return false;
}

/* ---- memory ------------------------------------------------------------------------------------ */

static bool spend(struct pickle *pickle, uint64_t bytes)
{
    pickle->spent += bytes;
    return pickle->spent <= PICKLE_MAX_MEMORY || pickle_fail(pickle, "it needs more than %u MiB of memory", PICKLE_MAX_MEMORY >> 20);
}

struct pickle_value *pickle_new(struct pickle *pickle, enum pickle_kind kind)
{
    struct pickle_chunk *chunk = pickle->chunks;
    if (!chunk || chunk->used == PICKLE_CHUNK_VALUES) {
        chunk = spend(pickle, sizeof(*chunk)) ? malloc(sizeof(*chunk)) : NULL;
        if (!chunk) {
            pickle_fail(pickle, "memory ran out");
            return NULL;
        }
        chunk->used = 0;
        chunk->next = pickle->chunks;
        pickle->chunks = chunk;
    }
    struct pickle_value *value = &chunk->values[chunk->used++];
    memset(value, 0, sizeof(*value));
    value->kind = kind;
    return value;
}

void *pickle_allocate(struct pickle *pickle, size_t size)
{
    struct pickle_block *block = spend(pickle, sizeof(*block) + size) ? calloc(1, sizeof(*block) + size) : NULL;
    if (!block) {
        pickle_fail(pickle, "memory ran out");
        return NULL;
    }
    block->next = pickle->blocks;
    pickle->blocks = block;
    return block + 1;
}

bool pickle_grow(struct pickle *pickle, struct pickle_value ***array, size_t *capacity, size_t need)
{
    size_t wanted = *capacity ? *capacity : 4;
    if (need <= *capacity)
        return true;
    while (wanted < need)
        wanted *= 2;
    if (!spend(pickle, (wanted - *capacity) * sizeof(**array)))
        return false;
    struct pickle_value **grown = realloc(*array, wanted * sizeof(*grown));
    if (!grown)
        return pickle_fail(pickle, "memory ran out");
    memset(grown + *capacity, 0, (wanted - *capacity) * sizeof(*grown));
    *array = grown;
    *capacity = wanted;
    return true;
}

bool pickle_append(struct pickle *pickle, struct pickle_value *list, struct pickle_value *item)
{
    if (!pickle_grow(pickle, &list->list.items, &list->list.capacity, list->list.count + 1))
        return false;
    list->list.items[list->list.count++] = item;
    return true;
}

static bool has_items(const struct pickle_value *value)
{
    return value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST || value->kind == PICKLE_DICT;
}

void pickle_destroy(struct pickle *pickle)
{
    if (!pickle)
        return;
    for (struct pickle_chunk *chunk = pickle->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        for (size_t i = 0; i < chunk->used; i++) {
            if (has_items(&chunk->values[i]))
                free(chunk->values[i].list.items);
        }
        free(chunk);
    }
    for (struct pickle_block *block = pickle->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(pickle->stack);
    free(pickle->memo);
    free(pickle);
}

bool pickle_push(struct pickle *pickle, struct pickle_value *value)
{
    if (!value || !pickle_grow(pickle, &pickle->stack, &pickle->stack_capacity, pickle->depth + 1))
        return false;
    pickle->stack[pickle->depth++] = value;
    return true;
}
