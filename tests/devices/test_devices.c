/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lowering for devices that are not here: for each made-up device the whole network is lowered, weights packed, up to the point
 * where pipelines would be compiled, and every pass must keep to what the device has. No driver is needed.
 */
#include "../runner.h"

#include <stdio.h>
#include <string.h>

#include "vk/model/architecture.h"
#include "vk/net/lower.h"

static struct gpu_caps caps; /* of the device under test */
static const char *device_name;

/* ---- devices ---------------------------------------------------------------------------------- */

enum deal { UNKNOWN, IN_PAIRS, MIXED };

static const struct device {
    const char *name;
    uint32_t memory, subgroup, shared, invocations, groups; /* memory: GiB */
    bool cpu, shuffle;
    uint32_t m, n, k; /* of matrices */
    enum deal deal;
} devices[] = {
    {"matrices, dealt in pairs", 80, 32, 49152, 1024, 65535, false, true, 16, 16, 16, IN_PAIRS},
    {"matrices, dealt otherwise", 12, 32, 49152, 1024, 65535, false, true, 16, 16, 16, MIXED},
    {"matrices, nobody knows how they are dealt", 192, 64, 65536, 1024, 65535, false, true, 16, 16, 16, UNKNOWN},
    {"small matrices", 16, 32, 32768, 256, 65535, false, true, 8, 8, 16, UNKNOWN},
    {"matrices, no shuffles", 24, 32, 49152, 1024, 65535, false, false, 16, 16, 16, IN_PAIRS},
    {"no matrices", 48, 32, 49152, 1024, 65535, false, true, 0, 0, 0, UNKNOWN},
    {"what Vulkan guarantees", 2, 4, 16384, 128, 65535, false, false, 0, 0, 0, UNKNOWN},
    {"a CPU driver", 64, 8, 32768, 1024, 65535, true, true, 0, 0, 0, UNKNOWN},
};

static void deal_in_pairs(struct gpu_deal *d)
{
    *d = (struct gpu_deal){.row_lanes = 4, .step = 1, .row_step = 4, .run = 2};
    for (uint32_t k = 0; k < 16; k++) {
        uint32_t lane = k % 8 / 2, i = k / 8 * 2 + k % 2;
        d->column[4 * lane + i] = (uint8_t)k;
        for (uint32_t n = 0; n < 16; n++)
            d->b[16 * k + n] = (uint8_t)((n % 8 * 4 + lane) * 8 + n / 8 * 4 + i);
    }
}

static void become(const struct device *d)
{
    device_name = d->name;
    caps = (struct gpu_caps){.fp16 = true,
                             .storage16 = true,
                             .coop = {.m = d->m, .n = d->n, .k = d->k},
                             .cpu = d->cpu,
                             .subgroup_shuffle = d->shuffle,
                             .whole_subgroups = d->shuffle || d->m,
                             .subgroup_size = d->subgroup,
                             .device_memory = (uint64_t)d->memory << 30,
                             .shared_memory = d->shared,
                             .max_invocations = d->invocations,
                             .max_range = 128u << 20,
                             .offset_alignment = 256,
                             .max_bindings = GPU_MAX_BINDINGS,
                             .max_groups = {d->groups, d->groups, d->groups}};
    if (d->deal != UNKNOWN)
        deal_in_pairs(&caps.coop.deal);
    if (d->deal == MIXED) {
        caps.coop.deal.b[0] = caps.coop.deal.b[1];
        caps.coop.deal.b[1] = 0;
    }
}

/* ---- in the place of the device (linked with --wrap) -------------------------------------------- */

static uint32_t passes, touches; /* of the last program; of these those that read weights ahead */

const struct gpu_caps *__wrap_gpu_caps(const struct gpu *gpu);
bool __wrap_gpu_buffer_init(struct gpu *gpu, struct gpu_buffer *buffer, uint64_t size, enum gpu_memory kind, struct segman_error *error);
void __wrap_gpu_buffer_finish(struct gpu *gpu, struct gpu_buffer *buffer);
bool __wrap_gpu_buffer_write(struct gpu *gpu, const struct gpu_buffer *buffer, uint64_t offset, const void *data, uint64_t size,
                             struct segman_error *error);
bool __wrap_gpu_pipelines_note(struct gpu *gpu, const struct gpu_pass_desc *descs, uint32_t count, struct segman_error *error);

const struct gpu_caps *__wrap_gpu_caps(const struct gpu *gpu)
{
    (void)gpu;
    return &caps;
}

bool __wrap_gpu_buffer_init(struct gpu *gpu, struct gpu_buffer *buffer, uint64_t size, enum gpu_memory kind, struct segman_error *error)
{
    (void)gpu, (void)kind, (void)error;
    *buffer = (struct gpu_buffer){.size = size};
    return true;
}

void __wrap_gpu_buffer_finish(struct gpu *gpu, struct gpu_buffer *buffer)
{
    (void)gpu, (void)buffer;
}

bool __wrap_gpu_buffer_write(struct gpu *gpu, const struct gpu_buffer *buffer, uint64_t offset, const void *data, uint64_t size,
                             struct segman_error *error)
{
    const volatile char *bytes = data;
    (void)gpu, (void)error;
    CU_ASSERT(offset + size <= buffer->size);
    for (uint64_t i = 0; i < size; i += 64) /* a sanitizer sees what is not there */
        (void)bytes[i];
    return true;
}

static bool keeps_to_device(const struct gpu_pass_desc *d)
{
    bool ok = gpu_shader_find(d->shader) && d->n_bindings <= caps.max_bindings && d->n_spec <= GPU_MAX_SPEC && d->push_size <= GPU_MAX_PUSH;
    ok = ok && (!d->n_spec || (d->spec[0] > 0 && d->spec[0] <= caps.max_invocations)); /* the first is the workgroup's size */
    ok =
        ok && (!d->subgroup_size || (caps.whole_subgroups && d->subgroup_size == caps.subgroup_size && d->spec[0] % d->subgroup_size == 0));
    for (uint32_t i = 0; ok && i < 3; i++)
        ok = d->groups[i] > 0 && d->groups[i] <= caps.max_groups[i];
    for (uint32_t i = 0; ok && i < d->n_bindings; i++) {
        const struct gpu_range *r = &d->binding[i].range;
        ok = r->size > 0 && r->size <= caps.max_range && r->offset % caps.offset_alignment == 0 && r->offset + r->size <= r->buffer->size;
    }
    return ok;
}

bool __wrap_gpu_pipelines_note(struct gpu *gpu, const struct gpu_pass_desc *descs, uint32_t count, struct segman_error *error)
{
    (void)gpu;
    passes = count;
    touches = 0;
    for (uint32_t i = 0; i < count; i++) {
        touches += !strncmp(descs[i].shader, "touch.", 6);
        if (!keeps_to_device(&descs[i])) {
            printf("\n  %s: pass %u of %u, %s, asks for too much\n", device_name, i, count, descs[i].shader);
            CU_FAIL("a pass asks for more than the device has");
        }
    }
    return segman_fail(error, SEGMAN_ERROR_MEMORY, "far enough");
}

/* ---- networks ---------------------------------------------------------------------------------- */

static bool any_shape(void *user, const char *name, uint32_t rank, const uint64_t *shape, struct segman_error *error)
{
    (void)user, (void)name, (void)rank, (void)shape, (void)error;
    return true;
}

static bool some_numbers(void *user, const char *name, uint32_t rank, const uint64_t *shape, float *out, struct segman_error *error)
{
    uint64_t count = 1;
    (void)user, (void)name, (void)error;
    for (uint32_t i = 0; i < rank; i++)
        count *= shape[i];
    for (uint64_t i = 0; i < count; i++)
        out[i] = (float)(i % 7) * 0.01f;
    return true;
}

static void lower(const char *variant, uint32_t height, uint32_t width, bool f16, bool no_fuse)
{
    static const struct net_weights weights = {.expect = any_shape, .read = some_numbers};
    const struct segman_architecture *architecture = architecture_variant(variant);
    struct segman_error error = {0};
    CU_ASSERT_FATAL(architecture != NULL);
    struct net *n = net_create(&weights);
    CU_ASSERT_FATAL(n != NULL);
    segman_build(n, architecture, height, width);
    passes = 0;
    struct net_program *p = net_program_create(NULL, n, &(struct net_program_params){.f16 = f16, .no_fuse = no_fuse}, &error);
    CU_ASSERT_PTR_NULL(p);
    CU_ASSERT_STRING_EQUAL(error.message, "far enough");
    CU_ASSERT(passes > 100);
    if (strcmp(error.message, "far enough") != 0)
        printf("\n  %s: %s at %ux%u, %s: %s\n", device_name, variant, height, width, f16 ? "f16" : "f32", error.message);
    net_destroy(n);
}

static void test_sizes(void)
{
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        become(&devices[i]);
        lower("t", 224, 224, true, false);
        lower("t", 288, 416, true, false);
        lower("t", 512, 1024, true, false);
        lower("t", 224, 224, false, false);
        CU_ASSERT_EQUAL(touches, 0);
    }
}

static void test_variants(void)
{
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        become(&devices[i]);
        lower("s", 224, 256, true, false);
        lower("l", 224, 224, true, false);
        CU_ASSERT_EQUAL(touches > 0, !caps.cpu && devices[i].memory >= 32);
    }
}

static void test_unfused(void)
{
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        become(&devices[i]);
        lower("t", 224, 224, true, true);
    }
}

int main(void)
{
    static CU_TestInfo tests[] = {{"sizes", test_sizes}, {"variants", test_variants}, {"unfused", test_unfused}, CU_TEST_INFO_NULL};
    return runner_run("devices", tests, NULL);
}
