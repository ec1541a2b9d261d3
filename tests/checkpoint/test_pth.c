/* SPDX-License-Identifier: Apache-2.0 */
/* .pth files: real ones (data/make_data.py wrote them with PyTorch) and hostile ones. */
#include "support.h"

#include <pthread.h>
#include <zip.h>

static const float counting[24] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

/* ---- real files ------------------------------------------------------------------------------------ */

static void check_shapes(const char *file)
{
    static const float zeros[3] = {0};
    struct segman_error error;
    float out[3];
    const uint64_t three[1] = {3};
    struct checkpoint *checkpoint = check_opens(data_path(file));
    CU_ASSERT_EQUAL(checkpoint_count(checkpoint), 15);
    CU_ASSERT_STRING_EQUAL(checkpoint_at(checkpoint, 0)->name, "plain");
    CU_ASSERT_STRING_EQUAL(checkpoint_find(checkpoint, "half")->dtype_name, "F16");
    CU_ASSERT_EQUAL(checkpoint_find(checkpoint, "bfloat16")->dtype, CHECKPOINT_BF16);
    CU_ASSERT_STRING_EQUAL(checkpoint_find(checkpoint, "bool")->dtype_name, "BOOL");
    CU_ASSERT_EQUAL(checkpoint_find(checkpoint, "scalar")->rank, 0);
    CU_ASSERT_PTR_NULL(checkpoint_raw(checkpoint, checkpoint_at(checkpoint, 0)));
    check_values(checkpoint, "plain", 6, counting);
    check_values(checkpoint, "half", 5, counting);
    check_values(checkpoint, "bfloat16", 5, counting);
    check_values(checkpoint, "double", 5, counting);
    check_values(checkpoint, "scalar", 1, counting);
    check_values(checkpoint, "empty", 0, counting);
    check_values(checkpoint, "transposed", 12, counting);
    check_values(checkpoint, "permuted", 24, counting);
    check_values(checkpoint, "sliced", 12, counting);
    check_values(checkpoint, "head", 8, counting);
    check_values(checkpoint, "tail", 3, counting + 10);
    check_values(checkpoint, "expanded", 3, zeros);
    check_values(checkpoint, "parameter", 4, counting);
    CU_ASSERT_FALSE(checkpoint_read(checkpoint, "long", 1, three, out, &error));
    check_message(&error, "\"long\"|I64");
    checkpoint_destroy(checkpoint);
}

static void test_shapes(void)
{
    check_shapes("shapes.pth");
    check_shapes("protocol4.pth");
}

static void test_mmcv(void)
{
    struct checkpoint *checkpoint = check_opens(data_path("mmcv.pth"));
    const struct segman_dataset *dataset = checkpoint_dataset(checkpoint);
    CU_ASSERT_EQUAL(checkpoint_count(checkpoint), 7);
    CU_ASSERT_STRING_EQUAL(checkpoint_at(checkpoint, 0)->name, "0.weight");
    check_values(checkpoint, "0.weight", 4, counting);
    check_values(checkpoint, "1.running_var", 2, counting);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dataset);
    CU_ASSERT_EQUAL(dataset->classes, 2);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[0], "bed");
    CU_ASSERT_STRING_EQUAL(dataset->class_names[1], "sky");
    CU_ASSERT(memcmp(dataset->palette, "\1\2\3\4\5\6", 6) == 0);
    CU_ASSERT_PTR_NULL(checkpoint_metadata(checkpoint, "CLASSES"));
    checkpoint_destroy(checkpoint);
}

static void test_mmengine(void)
{
    struct checkpoint *checkpoint = check_opens(data_path("mmengine.pth"));
    const struct segman_dataset *dataset = checkpoint_dataset(checkpoint);
    check_values(checkpoint, "0.weight", 4, counting);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dataset);
    CU_ASSERT_STRING_EQUAL(dataset->class_names[1], "dog");
    CU_ASSERT_EQUAL(dataset->palette[0][0], 128); /* the file's is a NumPy array */
    checkpoint_destroy(checkpoint);
    checkpoint = check_opens(data_path("ema.pth"));
    check_values(checkpoint, "w", 2, counting);
    checkpoint_destroy(checkpoint);
}

static void test_other_contents(void)
{
    check_refused(data_path("tensor.pth"), "tensor.pth|no dictionary|state_dict");
    check_refused(data_path("no_weights.pth"), "state_dict|model, epoch");
    check_refused(data_path("legacy.pth"), "legacy.pth|before PyTorch 1.6|torch.save(torch.load(");
}

static void *read_often(void *argument)
{
    const struct checkpoint *checkpoint = argument;
    const uint64_t shape[2] = {3, 4};
    float out[12];
    for (int i = 0; i < 200; i++) {
        if (!checkpoint_read(checkpoint, "sliced", 2, shape, out, NULL) || memcmp(out, counting, sizeof(out)) != 0)
            return argument;
    }
    return NULL;
}

static void test_threads(void)
{
    struct checkpoint *checkpoint = check_opens(data_path("shapes.pth"));
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, read_often, checkpoint), 0);
    for (int i = 0; i < 4; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        CU_ASSERT_PTR_NULL(bad);
    }
    checkpoint_destroy(checkpoint);
}

/* ---- archives ---------------------------------------------------------------------------------------- */

static void refused_zip(const struct zip_item *items, size_t n, const char *words)
{
    struct bytes file = {0};
    build_zip(&file, items, n);
    check_refused_bytes("zip.pth", &file, words);
    bytes_clear(&file);
}

static void test_archives(void)
{
    struct bytes pickle = {0}, file = {0};
    float values[4] = {0};
    pickle_simple(&pickle);
    const struct zip_item good = {"x/data.pkl", pickle.data, pickle.size, 0, 0, 0}, storage = {"x/data/0", values, 16, 0, 0, 0};
    struct zip_item other = {"y/data.pkl", "N.", 2, 0, 0, 0}, script = {"x/constants.pkl", "N.", 2, 0, 0, 0};
    struct zip_item big = {"x/byteorder", "big", 3, 0, 0, 0}, lie = good, secret = good, odd = good;
    lie.claimed = 5000;
    secret.flags = 1;
    odd.method = 12;
    refused_zip(NULL, 0, "0 entries data.pkl|not written by torch.save");
    refused_zip((const struct zip_item[]){good, storage, other}, 3, "2 entries data.pkl");
    refused_zip((const struct zip_item[]){good, storage, script}, 3, "TorchScript");
    refused_zip((const struct zip_item[]){good, storage, big}, 3, "big-endian");
    refused_zip((const struct zip_item[]){good}, 1, "\"w\"|missing from the archive");
    refused_zip((const struct zip_item[]){lie, storage}, 2, "x/data.pkl|to 5000: damaged");
    refused_zip((const struct zip_item[]){secret, storage}, 2, "x/data.pkl|encrypted");
    refused_zip((const struct zip_item[]){odd, storage}, 2, "x/data.pkl|unknown method 12");
    lie = storage, lie.size = 12;
    refused_zip((const struct zip_item[]){good, lie}, 2, "\"w\"|12 bytes|4 values of type F32");
    lie.method = 8, lie.claimed = 4000000000;
    refused_zip((const struct zip_item[]){good, lie}, 2, "x/data/0|to 4000000000: damaged");
    build_zip(&file, (const struct zip_item[]){good, storage}, 2);
    file.size -= 1;
    check_refused_bytes("cut.pth", &file, "cut.pth|truncated or damaged");
    file.size = file.size / 2;
    check_refused_bytes("cut.pth", &file, "cut.pth|truncated or damaged");
    file.size = 5;
    check_refused_bytes("cut.pth", &file, "cut.pth|truncated or damaged");
    bytes_clear(&file);
    bytes_clear(&pickle);
}

/* Flips a bit of the storage: the checksum tells when the tensor is read. */
static void test_checksum(void)
{
    struct bytes pickle = {0}, file = {0};
    struct segman_error error;
    const uint64_t shape[1] = {4};
    float out[4];
    pickle_simple(&pickle);
    build_pth(&file, &pickle, 16);
    struct checkpoint *checkpoint = check_opens(write_file("ok.pth", file.data, file.size));
    check_values(checkpoint, "w", 4, counting + 1);
    checkpoint_destroy(checkpoint);
    uint8_t *name = memmem(file.data, file.size, "x/data/0", 8);
    name[8] ^= 1;
    checkpoint = check_opens(write_file("flipped.pth", file.data, file.size));
    CU_ASSERT_FALSE(checkpoint_read(checkpoint, "w", 1, shape, out, &error));
    check_message(&error, "flipped.pth|\"w\"|damaged|CRC");
    checkpoint_destroy(checkpoint);
    bytes_clear(&file);
    bytes_clear(&pickle);
}

/* A repacked archive: compressed entries are read, too, also from the middle and with strides. */
static void test_compressed(void)
{
    struct bytes pickle = {0};
    float values[64];
    for (int i = 0; i < 64; i++)
        values[i] = (float)(i / 2);
    put_text(&pickle, "\x80\x02}");
    pickle_text(&pickle, "w");
    pickle_tensor1(&pickle, "FloatStorage", "0", 64, 4, 6, 2);
    put_text(&pickle, "s.");
    char path[256];
    snprintf(path, sizeof(path), "%s", temp_path("deflated.pth"));
    zip_t *zip = zip_open(path, ZIP_CREATE, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(zip);
    zip_file_add(zip, "data.pkl", zip_source_buffer(zip, pickle.data, pickle.size, 0), 0);
    zip_file_add(zip, "data/0", zip_source_buffer(zip, values, sizeof(values), 0), 0);
    CU_ASSERT_EQUAL(zip_close(zip), 0);
    struct checkpoint *checkpoint = check_opens(path);
    check_values(checkpoint, "w", 6, counting + 2);
    checkpoint_destroy(checkpoint);
    bytes_clear(&pickle);
}

/* A real bomb: 64 MiB of pickle in 64 KiB. */
static void test_bomb(void)
{
    const size_t size = 64u << 20;
    char path[256], *zeros = calloc(1, size);
    snprintf(path, sizeof(path), "%s", temp_path("bomb.pth"));
    zip_t *zip = zip_open(path, ZIP_CREATE, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(zip);
    zip_file_add(zip, "x/data.pkl", zip_source_buffer(zip, zeros, size, 0), 0);
    CU_ASSERT_EQUAL(zip_close(zip), 0);
    check_refused(path, "pickle has 67108864 bytes");
    free(zeros);
}

/* ---- layouts ------------------------------------------------------------------------------------------- */

static void begin(struct bytes *pickle)
{
    bytes_clear(pickle);
    put_text(pickle, "\x80\x02}");
}

static void refused_pickle(struct bytes *pickle, const char *words)
{
    struct bytes file = {0};
    build_pth(&file, pickle, 16);
    check_refused_bytes("bad.pth", &file, words);
    bytes_clear(&file);
    bytes_clear(pickle);
}

static void refused_tensor(const char *type, const char *key, int32_t elements, int32_t offset, int32_t size, int32_t stride,
                           const char *words)
{
    struct bytes pickle = {0};
    begin(&pickle);
    pickle_text(&pickle, "w");
    pickle_tensor1(&pickle, type, key, elements, offset, size, stride);
    put_text(&pickle, "s.");
    refused_pickle(&pickle, words);
}

static void test_tensors(void)
{
    refused_tensor("FloatStorage", "0", 4, 0, 5, 1, "beyond its storage of 4");
    refused_tensor("FloatStorage", "0", 4, 1, 4, 1, "beyond its storage of 4");
    refused_tensor("FloatStorage", "0", 4, 0, 3, 2, "beyond its storage of 4");
    refused_tensor("FloatStorage", "0", 4, 2147483647, 1, 1, "beyond its storage of 4");
    refused_tensor("FloatStorage", "0", 4, 5, 0, 1, "beyond its storage of 4");
    refused_tensor("FloatStorage", "0", 4, 0, 2147483647, 2147483647, "beyond its storage");
    refused_tensor("FloatStorage", "0", 4, -1, 1, 1, "storage, offset, shape and strides");
    refused_tensor("FloatStorage", "0", 4, 0, -1, 1, "not a size");
    refused_tensor("FloatStorage", "0", 4, 0, 2, -1, "not a size");
    refused_tensor("FloatStorage", "0", -4, 0, 0, 1, "persistent id");
    refused_tensor("FloatStorage", "0", 8, 0, 4, 1, "\"w\"|16 bytes|8 values of type F32");
    refused_tensor("DoubleStorage", "0", 4, 0, 4, 1, "\"w\"|16 bytes|4 values of type F64");
    refused_tensor("FloatStorage", "../0", 4, 0, 4, 1, "\"w\"|missing from the archive");
    refused_tensor("QUInt8Storage", "0", 4, 0, 4, 1, "torch.QUInt8Storage|nothing was executed");
    struct bytes pickle = {0};
    begin(&pickle);
    for (int i = 0; i < 2; i++) {
        pickle_text(&pickle, i ? "module.w" : "w");
        pickle_tensor1(&pickle, "FloatStorage", "0", 4, 0, 4, 1);
        put_text(&pickle, "s");
    }
    put_text(&pickle, ".");
    refused_pickle(&pickle, "\"w\" twice");
    begin(&pickle);
    pickle_text(&pickle, "a\x1b\xff");
    pickle_tensor1(&pickle, "FloatStorage", "0", 4, 0, 4, 1);
    put_text(&pickle, "s.");
    refused_pickle(&pickle, "name is not valid text");
}

/* {"w": tensor, "meta": {classes_key: [...], palette_key: [...]}}; body builds the two lists' entries. */
static void refused_meta(const char *classes, const char *palette, const char *words)
{
    struct bytes pickle = {0};
    begin(&pickle);
    pickle_text(&pickle, "w");
    pickle_tensor1(&pickle, "FloatStorage", "0", 4, 0, 4, 1);
    put_text(&pickle, "s");
    pickle_text(&pickle, "meta");
    put_text(&pickle, "}(");
    pickle_text(&pickle, "CLASSES");
    put_text(&pickle, classes);
    pickle_text(&pickle, "PALETTE");
    put_text(&pickle, palette);
    put_text(&pickle, "us.");
    refused_pickle(&pickle, words);
}

static void test_meta(void)
{
    refused_meta(")", "]", "0 classes|1 to 255");
    refused_meta("U\1a\x85", "]", "1 classes|0 colours");
    refused_meta("K\1\x85", "N", "class 0|not a text");
    refused_meta("U\1\n\x85", "N", "class 0|control");
    refused_meta("U\1\xff\x85", "N", "class 0|UTF-8");
    refused_meta("U\1a\x85", "K\1K\2\x86\x85", "colour 0|red, green, blue");
    refused_meta("U\1a\x85", "K\1K\2N\x87\x85", "colour 0|whole numbers");
    refused_meta("U\1a\x85", "K\1K\2M\1\1\x87\x85", "colour 0|257");
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        {"shapes", test_shapes},   {"mmcv", test_mmcv},         {"mmengine", test_mmengine}, {"other contents", test_other_contents},
        {"threads", test_threads}, {"archives", test_archives}, {"checksum", test_checksum}, {"compressed", test_compressed},
        {"bomb", test_bomb},       {"tensors", test_tensors},   {"meta", test_meta},
    };
    return run_tests("pth", tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL);
}
