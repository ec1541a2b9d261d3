/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SegMAN, top to bottom: stem, local attention, state-space branch, feed-forward, block, encoder, decoder
 * (Fu, Lou, Yu, CVPR 2025, sections 3.1 to 3.3). Builder calls record ops and compute nothing; the comment on the right
 * is the result's shape. Scopes and names spell the checkpoint's parameter paths.
 */
#include "architecture.h"

struct stage {
    uint32_t c, hidden, heads, window, side;
    bool last, layer_scale;
};

/* 3x3 convolution without bias, and its batch norm: two neighbours of a torch Sequential. */
static tensor conv_bn(struct net *n, tensor x, uint32_t out, uint32_t stride, int index)
{
    char conv[12], norm[12];
    snprintf(conv, sizeof(conv), "%d", index);
    snprintf(norm, sizeof(norm), "%d", index + 1);
    x = net_conv(n, conv, x, &(struct net_conv){.out = out, .kernel = 3, .stride = stride, .pad = 1}); /* out,h/stride,w/stride */
    return net_batch_norm(n, norm, x);
}

static tensor stem(struct net *n, tensor x, uint32_t c)
{
    net_push(n, "patch_embed");
    x = net_act(n, conv_bn(n, x, c / 2, 2, 0), NET_ACT_GELU); /* c/2,h/2,w/2 */
    x = net_act(n, conv_bn(n, x, c / 2, 1, 3), NET_ACT_GELU);
    x = net_act(n, conv_bn(n, x, c, 2, 6), NET_ACT_GELU); /* c,h/4,w/4 */
    return net_pop(n, conv_bn(n, x, c, 1, 9));
}

/*
 * The scan over the local attention's output y (section 3.2: SASS in the released code's order), added to `base`: y and
 * the local enhancement, summed early because that sum runs beside the scan.
 */
static tensor state_space(struct net *n, tensor y, tensor base)
{
    net_push(n, "dwconv");
    tensor s = net_pop(n, net_batch_norm(n, "1", net_dwconv(n, "0", y, 3))); /* c,h,w */
    s = net_scan(n, "ssm", net_act(n, s, NET_ACT_SILU));
    return net_add(n, base, net_layer_norm(n, "norm", s));
}

static tensor token_mixer(struct net *n, tensor x, const struct stage *s)
{
    net_push(n, "token_mixer");
    tensor qkv = net_conv(n, "qkv", x, &(struct net_conv){.out = 3 * s->c, .bias = true}); /* 3c,h,w */
    tensor turned = net_rope(n, qkv, s->heads);                                            /* v stays as it is */
    tensor lepe = net_dwconv(n, "lepe", net_slice(n, turned, 2 * s->c, s->c), 5);          /* c,h,w */
    tensor y = net_natten(n, "rpb.0", turned, s->heads, s->window);                        /* c,h,w */
    if (s->last)
        y = net_add(n, lepe, net_attention(n, "rpb.1", turned, y, s->heads, s->side)); /* fused into the attention, not into lepe */
    else
        y = state_space(n, y, net_add(n, y, lepe));
    return net_pop(n, net_conv(n, "proj", y, &(struct net_conv){.out = s->c, .bias = true}));
}

static tensor ffn(struct net *n, tensor x, uint32_t hidden)
{
    uint32_t c, h, w;
    net_shape(n, x, &c, &h, &w);
    net_push(n, "mlp");
    x = net_act(n, net_conv(n, "fc1", x, &(struct net_conv){.out = hidden, .bias = true}), NET_ACT_GELU); /* hidden,h,w */
    x = net_add(n, x, net_dwconv(n, "dwconv", x, 3));
    return net_pop(n, net_conv(n, "fc2", x, &(struct net_conv){.out = c, .bias = true})); /* c,h,w */
}

static tensor block(struct net *n, tensor x, const struct stage *s)
{
    x = net_add(n, x, net_dwconv(n, "cpe1", x, 3));
    tensor t = token_mixer(n, net_layer_norm(n, "norm1", x), s);
    x = net_add(n, x, s->layer_scale ? net_scale(n, "layer_scale1", t) : t);
    x = net_add(n, x, net_dwconv(n, "cpe2", x, 3));
    t = ffn(n, net_layer_norm(n, "norm2", x), s->hidden);
    return net_add(n, x, s->layer_scale ? net_scale(n, "layer_scale2", t) : t);
}

/* The features of the four stages, at 1/4, 1/8, 1/16 and 1/32 of the input. */
static void encoder(struct net *n, tensor x, const struct segman_architecture *a, tensor feature[4])
{
    net_push(n, "backbone");
    x = stem(n, x, a->dims[0]); /* dims[0],h/4,w/4 */
    for (uint32_t i = 0; i < 4; i++) {
        const struct stage s = {.c = a->dims[i],
                                .hidden = a->hidden[i],
                                .heads = a->heads[i],
                                .window = a->windows[i],
                                .side = a->image_side,
                                .last = i == 3,
                                .layer_scale = a->layer_scale};
        net_push(n, "layers.%u", 2 * i);
        for (uint32_t b = 0; b < a->depths[i]; b++) {
            net_push(n, "blocks.%u", b);
            x = net_pop(n, block(n, x, &s));
        }
        feature[i] = net_pop(n, x);
        net_push(n, "layers.%u", 2 * i + 1);
        x = net_pop(n, i < 3 ? conv_bn(n, x, a->dims[i + 1], 2, 0) : x); /* dims[i+1], half the size */
    }
    net_pop(n, x);
}

/* mmseg's ConvModule: convolution without bias, batch norm, ReLU. */
static tensor conv_module(struct net *n, const char *name, tensor x, struct net_conv conv)
{
    net_push(n, "%s", name);
    return net_pop(n, net_act(n, net_batch_norm(n, "bn", net_conv(n, "conv", x, &conv)), NET_ACT_RELU));
}

static tensor linear(struct net *n, const char *name, tensor x, uint32_t out)
{
    net_push(n, "%s", name);
    return net_pop(n, net_conv(n, "proj", x, &(struct net_conv){.out = out, .bias = true, .linear = true}));
}

/* The state-space block over the concatenated scales (section 3.3). */
static tensor vssm_block(struct net *n, tensor x)
{
    uint32_t c, h, w;
    net_shape(n, x, &c, &h, &w);
    net_push(n, "vssm");
    x = net_add(n, x, net_dwconv(n, "cpe1", x, 3));
    x = net_add(n, x, net_scan(n, "token_mixer", net_layer_norm(n, "norm1", x)));
    x = net_add(n, x, net_dwconv(n, "cpe2", x, 3));
    return net_pop(n, net_add(n, x, ffn(n, net_layer_norm(n, "norm2", x), 4 * c)));
}

/* MMSCopE's three scales of the fused feature, all at 1/32: (3e, h/4, w/4) of x (e, h, w). */
static tensor scales(struct net *n, tensor x, uint32_t e)
{
    tensor x2 = conv_module(n, "conv_downsample_2", x, (struct net_conv){.out = 2 * e, .kernel = 3, .stride = 2, .pad = 1});
    tensor x4 = conv_module(n, "conv_downsample_4", x, (struct net_conv){.out = 4 * e, .kernel = 5, .stride = 4, .pad = 1});
    tensor full = conv_module(n, "reduce_channels.2", net_unshuffle(n, x, 4), (struct net_conv){.out = e});
    tensor half = conv_module(n, "reduce_channels.1", net_unshuffle(n, x2, 2), (struct net_conv){.out = e});
    tensor quarter = conv_module(n, "reduce_channels.0", x4, (struct net_conv){.out = e});
    return net_concat(n, (tensor[]){full, half, quarter}, 3);
}

/* torch Sequential(AdaptiveAvgPool2d(1), ConvModule): (e, 1, 1) */
static tensor image_pool(struct net *n, tensor x, uint32_t e)
{
    net_push(n, "image_pool");
    return net_pop(n, conv_module(n, "1", net_pool(n, x), (struct net_conv){.out = e}));
}

static tensor decoder(struct net *n, const struct segman_architecture *a, const tensor feature[4])
{
    uint32_t e = a->decoder_channels, p = a->decoder_proj, c, h, w;
    net_shape(n, feature[1], &c, &h, &w);
    net_push(n, "decode_head");
    /* Independent ops stand together: they run between the same barriers. */
    tensor c4 = linear(n, "linear_c4", feature[3], p); /* p,h/32,w/32 */
    tensor c3 = linear(n, "linear_c3", feature[2], p); /* p,h/16,w/16 */
    tensor c2 = linear(n, "linear_c2", feature[1], p); /* p,h/8,w/8 */
    c4 = net_resize(n, c4, h, w);
    c3 = net_resize(n, c3, h, w);
    tensor x = conv_module(n, "linear_fuse", net_concat(n, (tensor[]){c4, c3, c2}, 3), (struct net_conv){.out = e}); /* e,h/8,w/8 */
    tensor s = conv_module(n, "short_path", x, (struct net_conv){.out = e});
    tensor pool = image_pool(n, x, e);                                     /* e,1,1 */
    tensor m = net_resize(n, vssm_block(n, scales(n, x, e)), h, w);        /* 3e,h/8,w/8 */
    tensor o = conv_module(n, "proj_out", m, (struct net_conv){.out = p}); /* p,h/8,w/8 */
    pool = net_resize(n, pool, h, w);                                      /* e,h/8,w/8 */
    const tensor all[6] = {s, pool, m, net_add(n, c2, o), net_add(n, c3, o), net_add(n, c4, o)};
    x = conv_module(n, "cat", net_concat(n, all, 6), (struct net_conv){.out = e}); /* e,h/8,w/8 */
    return net_pop(n, net_conv(n, "conv_seg", x, &(struct net_conv){.out = a->classes, .bias = true}));
}

void segman_build(struct net *n, const struct segman_architecture *a, uint32_t h, uint32_t w)
{
    tensor feature[4];
    encoder(n, net_input(n, 3, h, w), a, feature);
    net_output(n, net_name(n, decoder(n, a, feature), "logits")); /* classes,h/8,w/8 */
}
