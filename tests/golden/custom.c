/* SPDX-License-Identifier: Apache-2.0 */
#include "custom.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vk/model/architecture.h"

const struct segman_architecture custom_architecture = {
    "custom", {24, 40, 72, 96}, {1, 1, 2, 1}, {1, 2, 3, 4}, {5, 9, 3, 7}, {81, 160, 144, 288}, true, 7, 60, 100, 13};

struct inventory {
    FILE *data;
    json_t *header;
    uint64_t offset;
    bool ok;
};

static bool expect(void *user, const char *name, uint32_t rank, const uint64_t *shape, struct segman_error *error)
{
    struct inventory *inv = user;
    uint64_t count = 1;
    json_t *sides = json_array();
    (void)error;
    for (uint32_t i = 0; i < rank; i++) {
        count *= shape[i];
        json_array_append_new(sides, json_integer((json_int_t)shape[i]));
    }
    float *values = malloc(count * sizeof(*values));
    if (values) {
        procedural_value(name, rank, shape, values);
        inv->ok &= fwrite(values, sizeof(*values), count, inv->data) == count;
    }
    inv->ok &= values != NULL;
    free(values);
    json_object_set_new(inv->header, name,
                        json_pack("{s:s,s:o,s:[I,I]}", "dtype", "F32", "shape", sides, "data_offsets", (json_int_t)inv->offset,
                                  (json_int_t)(inv->offset + 4 * count)));
    inv->offset += 4 * count;
    return true;
}

static bool join(FILE *out, const json_t *header, FILE *data)
{
    char *text = json_dumps(header, JSON_COMPACT), buffer[65536];
    uint64_t length = text ? strlen(text) : 0; /* little-endian machines only, as the tests' fixtures */
    bool ok = text && fwrite(&length, sizeof(length), 1, out) == 1 && fwrite(text, 1, length, out) == length;
    rewind(data);
    for (size_t n; ok && (n = fread(buffer, 1, sizeof(buffer), data)) > 0;)
        ok = fwrite(buffer, 1, n, out) == n;
    free(text);
    return ok;
}

bool custom_write(const struct segman_architecture *architecture, const char *path)
{
    struct inventory inv = {.data = tmpfile(), .header = json_object(), .ok = true};
    FILE *out = fopen(path, "wb");
    struct net *n = net_create(&(struct net_weights){.user = &inv, .expect = expect});
    bool ok = inv.data && inv.header && out && n;
    if (ok) {
        segman_build(n, architecture, 256, 352);
        ok = !net_failed(n, NULL) && inv.ok && join(out, inv.header, inv.data);
    }
    net_destroy(n);
    json_decref(inv.header);
    if (inv.data)
        fclose(inv.data);
    if (out)
        ok = !fclose(out) && ok;
    return ok;
}
