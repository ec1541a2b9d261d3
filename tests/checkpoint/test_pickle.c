/* SPDX-License-Identifier: Apache-2.0 */
/* The pickle machine on its own: what it builds, and that it refuses everything else by name. */
#include "support.h"

#include "vk/model/pickle.h"

static void refused(const char *data, size_t size, const char *words)
{
    struct segman_error error = {0};
    /* malloc'ed, so that a sanitizer sees any read beyond the end */
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    struct pickle *pickle = pickle_parse(copy, size, error.message, sizeof(error.message));
    CU_ASSERT_PTR_NULL(pickle);
    if (!pickle)
        check_message(&error, words);
    else
        printf("\n    parsed, though expected: %s\n", words);
    pickle_destroy(pickle);
    free(copy);
}
#define REFUSED(text, words) refused(text, sizeof(text) - 1, words)

static void test_values(void)
{
    static const char text[] =
        "\x80\x04\x95\0\0\0\0\0\0\0\0}(\x8c\1aN\x8c\1b\x88\x8c\1c\x89\x8c\1dK\xff\x8c\1eM\xff\xff\x8c\1fJ\xff\xff\xff\xff"
        "\x8c\1g\x8a\2\xff\xff\x8c\1h\x8a\0\x8c\1iG\x3f\xe0\0\0\0\0\0\0\x8c\1jC\1x\x8c\1kU\2hi\x8c\1l(K\1l\x8c\1m(K\1K\2d"
        "\x8c\1n\x8f(K\1\x90\x8c\1o(K\1\x91\x8c\1a\x8a\x09"
        "123456789\x8c\1p\x8f\x94\x8c\1qh\0u.";
    char why[200] = "";
    struct pickle *pickle = pickle_parse((const uint8_t *)text, sizeof(text) - 1, why, sizeof(why));
    CU_ASSERT_PTR_NOT_NULL(pickle);
    if (!pickle) {
        printf("\n    %s\n", why);
        return;
    }
    const struct pickle_value *root = pickle_root(pickle);
    CU_ASSERT_EQUAL(pickle_get(root, "a")->kind, PICKLE_OPAQUE); /* the last one */
    CU_ASSERT(pickle_get(root, "b")->kind == PICKLE_BOOL && pickle_get(root, "b")->integer == 1);
    CU_ASSERT_EQUAL(pickle_get(root, "c")->integer, 0);
    CU_ASSERT_EQUAL(pickle_get(root, "d")->integer, 255);
    CU_ASSERT_EQUAL(pickle_get(root, "e")->integer, 65535);
    CU_ASSERT_EQUAL(pickle_get(root, "f")->integer, -1);
    CU_ASSERT_EQUAL(pickle_get(root, "g")->integer, -1);
    CU_ASSERT_EQUAL(pickle_get(root, "h")->integer, 0);
    CU_ASSERT_EQUAL(pickle_get(root, "i")->real, 0.5);
    CU_ASSERT_EQUAL(pickle_get(root, "j")->kind, PICKLE_OPAQUE);
    CU_ASSERT(pickle_get(root, "k")->text.length == 2 && memcmp(pickle_get(root, "k")->text.bytes, "hi", 2) == 0);
    CU_ASSERT_EQUAL(pickle_get(root, "l")->list.count, 1);
    CU_ASSERT_EQUAL(pickle_get(root, "m")->list.count, 2);
    CU_ASSERT_EQUAL(pickle_get(root, "n")->kind, PICKLE_OPAQUE);
    CU_ASSERT_PTR_NULL(pickle_get(root, "z"));
    CU_ASSERT_PTR_NULL(pickle_get(NULL, "z"));
    CU_ASSERT_PTR_NULL(pickle_get(pickle_get(root, "l"), "z"));
    pickle_destroy(pickle);
    pickle_destroy(NULL);
}

/* A list and a dictionary that contain themselves. */
static void test_cycles(void)
{
    static const char text[] = "\x80\x02]q\0h\0a}q\1(U\1xh\1U\1yh\0u.";
    char why[200] = "";
    struct pickle *pickle = pickle_parse((const uint8_t *)text, sizeof(text) - 1, why, sizeof(why));
    CU_ASSERT_PTR_NOT_NULL(pickle);
    if (pickle)
        CU_ASSERT_PTR_EQUAL(pickle_get(pickle_root(pickle), "x"), pickle_root(pickle));
    pickle_destroy(pickle);
}

static void test_names(void)
{
    REFUSED("cos\nsystem\n(U\2lstR.", "\"os.system\"|nothing was executed");
    REFUSED("cbuiltins\neval\n.", "\"builtins.eval\"");
    REFUSED("\x8c\5posix\x8c\6system\x93.", "\"posix.system\"");
    REFUSED("c\x1b[2J\nx\n.", "\"?[2J.x\"");
    REFUSED("\x80\x02i__builtin__\neval\n.", "opcode 0x69 ('i')");
    REFUSED("\x82\1.", "opcode 0x82");
    REFUSED("I01\n.", "opcode 0x49 ('I')");
    REFUSED("P0\n.", "opcode 0x50 ('P')");
    REFUSED("\x97.", "opcode 0x97");
    REFUSED("\0", "opcode 0x00");
    REFUSED("\x80\x06N.", "protocol 6");
    REFUSED("NK\1\x93.", "not a text");
    REFUSED("N)R.", "not a function");
    REFUSED("ctorch\nFloatStorage\n)R.", "torch.FloatStorage|only name");
    REFUSED("ccollections\nOrderedDict\nNR.", "not a function");
    REFUSED("ccollections\nOrderedDict\n]N\x86R.", "not made of pairs");
    REFUSED("ccollections\nOrderedDict\n]NN\x86"
            "aN\x85R.",
            "not a function");
    REFUSED("ccollections\nOrderedDict\n)}U\1aNs\x92.", "keyword");
    REFUSED("ctorch._utils\n_rebuild_tensor_v2\n)R.", "storage, offset, shape and strides");
    REFUSED("ctorch._utils\n_rebuild_parameter\nN\x85R.", "not made of a tensor");
    REFUSED("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nN)NtR.", "not made of a tensor");
    REFUSED("NQ.", "persistent id");
    REFUSED("NNb.", "state of something");
}

static void test_stack(void)
{
    REFUSED("", "truncated");
    REFUSED(".", "underflows");
    REFUSED("(.", "underflows");
    REFUSED("N(0.", "underflows");
    REFUSED("N(2.", "underflows");
    REFUSED("N(q\0.", "underflows");
    REFUSED("\x87.", "underflows");
    REFUSED("NN\x87.", "underflows");
    REFUSED("NN(N\x86.", "underflows");
    REFUSED("]a.", "underflows");
    REFUSED("}Ns.", "underflows");
    REFUSED("](Na.", "underflows");
    REFUSED("(Ne.", "underflows");
    REFUSED("R.", "underflows");
    REFUSED("NR.", "underflows");
    REFUSED("b.", "underflows");
    REFUSED("t.", "mark");
    REFUSED("1.", "mark");
    REFUSED("e.", "mark");
    REFUSED("(Nd.", "key without value");
    REFUSED("}(Nu.", "key without value");
    REFUSED("N(Ne.", "not a list");
    REFUSED("](NNu.", "not a dictionary");
    REFUSED("h\0.", "memo entry 0");
    REFUSED("Nj\xff\xff\xff\xff.", "memo entry 4294967295");
    REFUSED("Nr\xff\xff\xff\xff.", "memo index 4294967295|absurd");
}

static void test_truncated(void)
{
    REFUSED("K", "truncated");
    REFUSED("J\0\0\0", "truncated");
    REFUSED("G\0\0\0\0\0\0\0", "truncated");
    REFUSED("X\2\0\0\0a", "truncated");
    REFUSED("X\xff\xff\xff\xff"
            "a",
            "truncated");
    REFUSED("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
            "a",
            "truncated");
    REFUSED("\x8a\x05"
            "1234",
            "truncated");
    REFUSED("\x8b\xff\xff\xff\xff", "truncated");
    REFUSED("cabc", "truncated");
    REFUSED("cabc\ndef", "truncated");
    REFUSED("\x80", "truncated");
    REFUSED("\x95\0", "truncated");
    REFUSED("N", "truncated");
}

/* One opcode over and over must meet a limit, not exhaust the machine. */
static void refused_repeated(const char *start, const char *unit, size_t times, const char *words)
{
    struct bytes text = {0};
    struct segman_error error = {0};
    put_text(&text, start);
    for (size_t i = 0; i < times; i++)
        put_text(&text, unit);
    struct pickle *pickle = pickle_parse(text.data, text.size, error.message, sizeof(error.message));
    CU_ASSERT_PTR_NULL(pickle);
    check_message(&error, words);
    pickle_destroy(pickle);
    bytes_clear(&text);
}

static void test_limits(void)
{
    refused_repeated("", "(", 1001, "1000 levels");
    refused_repeated("", "}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}", 100000, "256 MiB");
    refused_repeated("]", "(NNNNNNNNe", 10, "truncated");
    refused_repeated("ccollections\nOrderedDict\nq\1]q\2(NNN\x87NNN\x87"
                     "e0",
                     "h\1h\2\x85R", 10, "not made of pairs");
    refused_repeated("N", "\x85\x85\x85\x85\x85\x85\x85\x85\x85\x85", 50000, "truncated"); /* half a million deep: no recursion */
}

int main(void)
{
    static const struct test tests[] = {
        {"values", test_values}, {"cycles", test_cycles},       {"names", test_names},
        {"stack", test_stack},   {"truncated", test_truncated}, {"limits", test_limits},
    };
    return run_tests("pickle", tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
