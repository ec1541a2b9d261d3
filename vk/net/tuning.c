/* SPDX-License-Identifier: Apache-2.0 */
#include "tuning.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"

struct net_tuning {
    pthread_mutex_t lock;
    json_t *choices; /* key: name of a row */
    struct net_job *wanted;
    size_t n_wanted, cap_wanted;
    bool collecting;
};

#define KEY_SIZE 96

static void key_of(const struct net_job *j, char key[KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "%ux%ux%u to %u, kernel %u stride %u pad %u, %s", j->c, j->h, j->w, j->out, j->kernel, j->stride, j->pad,
             j->f16 ? "f16" : "f32");
}

struct net_tuning *net_tuning_create(void)
{
    struct net_tuning *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->choices = json_object();
    if (!t->choices || pthread_mutex_init(&t->lock, NULL)) {
        json_decref(t->choices);
        free(t);
        return NULL;
    }
    return t;
}

void net_tuning_destroy(struct net_tuning *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    json_decref(t->choices);
    free(t->wanted);
    free(t);
}

void net_tuning_load(struct net_tuning *t, const char *path)
{
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root)) {
        pthread_mutex_lock(&t->lock);
        json_object_update(t->choices, root);
        pthread_mutex_unlock(&t->lock);
    }
    json_decref(root);
}

bool net_tuning_save(struct net_tuning *t, const char *path, struct segman_error *error)
{
    pthread_mutex_lock(&t->lock);
    char *text = json_dumps(t->choices, JSON_INDENT(1) | JSON_SORT_KEYS);
    pthread_mutex_unlock(&t->lock);
    bool ok = text && gpu_file_write(path, text, strlen(text));
    free(text);
    return ok || segman_fail(error, SEGMAN_ERROR_IO, "%s: the measured choices cannot be written", path);
}

static bool same(const struct net_job *a, const struct net_job *b)
{
    char x[KEY_SIZE], y[KEY_SIZE];
    key_of(a, x);
    key_of(b, y);
    return !strcmp(x, y);
}

/* Without memory a job is not remembered: it keeps its estimate. */
static void want(struct net_tuning *t, const struct net_job *job)
{
    for (size_t i = 0; i < t->n_wanted; i++)
        if (same(&t->wanted[i], job))
            return;
    if (t->n_wanted == t->cap_wanted) {
        size_t cap = t->cap_wanted ? 2 * t->cap_wanted : 64;
        struct net_job *p = realloc(t->wanted, cap * sizeof(*p));
        if (!p)
            return;
        t->wanted = p;
        t->cap_wanted = cap;
    }
    t->wanted[t->n_wanted++] = *job;
}

uint32_t net_tuning_row(struct net_tuning *t, const struct net_job *job)
{
    char key[KEY_SIZE];
    if (!t)
        return 0;
    key_of(job, key);
    pthread_mutex_lock(&t->lock);
    const char *name = json_string_value(json_object_get(t->choices, key));
    uint32_t row = name ? op_conv_row(name) : 0;
    if (row && !(job->rows >> (row - 1) & 1))
        row = 0;
    if (!row && t->collecting)
        want(t, job);
    pthread_mutex_unlock(&t->lock);
    return row;
}

void net_tuning_collect(struct net_tuning *t, bool on)
{
    pthread_mutex_lock(&t->lock);
    t->collecting = on;
    if (!on)
        t->n_wanted = 0;
    pthread_mutex_unlock(&t->lock);
}

void net_tuning_choose(struct net_tuning *t, const struct net_job *job, uint32_t row)
{
    char key[KEY_SIZE], name[OP_CONV_ROW_NAME];
    key_of(job, key);
    op_conv_row_name(row, name);
    pthread_mutex_lock(&t->lock);
    json_object_set_new(t->choices, key, json_string(name));
    pthread_mutex_unlock(&t->lock);
}

bool net_tuning_wanted(struct net_tuning *t, size_t i, struct net_job *job)
{
    pthread_mutex_lock(&t->lock);
    bool there = i < t->n_wanted;
    if (there)
        *job = t->wanted[i];
    pthread_mutex_unlock(&t->lock);
    return there;
}
