#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the small golden files of tests/golden/data from a plain PyTorch SegMAN (segman_ref.py, given by its folder).

    make_golden.py REFERENCE_FOLDER OUT_FOLDER

Weights and picture are procedural, so a file holds only what the network makes of them: logits, labels, margins.
The 'custom' case is an architecture that no table knows; tests/golden writes its checkpoint and reads it back.
Needs python3-torch and python3-numpy.
"""
import json
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, sys.argv[1])
import segman_ref as R  # noqa: E402

CUSTOM = dict(dims=(24, 40, 72, 96), depths=(1, 1, 2, 1), heads=(1, 2, 3, 4), windows=(5, 9, 3, 7), mlp=(3.4, 4, 2, 3),
              layerscale=True, channels=60, proj=100)
CASES = [  # name, variant, overrides, height, width, classes
    ("t", "t", {}, 288, 416, 5),
    ("s", "s", {}, 256, 288, 21),
    ("b", "b", {}, 224, 320, 3),
    ("l", "l", {}, 224, 224, 40),
    ("l2", "l2", {}, 224, 256, 19),
    ("custom", "t", CUSTOM, 256, 352, 13),
]
TYPES = {np.dtype("float32"): "F32", np.dtype("uint8"): "U8", np.dtype("float16"): "F16"}


def save(path, tensors, metadata):
    header, offset = {"__metadata__": {k: str(v) for k, v in metadata.items()}}, 0
    for k, a in tensors.items():
        header[k] = dict(dtype=TYPES[a.dtype], shape=list(a.shape), data_offsets=[offset, offset + a.nbytes])
        offset += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in tensors.values():
            f.write(np.ascontiguousarray(a).tobytes())


def main():
    for name, variant, override, h, w, classes in CASES:
        model = R.load_procedural(R.SegMAN(variant, classes, **override)).eval()
        with torch.no_grad():
            logits = model(R.normalise(R.procedural_image(h, w)))
            up = F.interpolate(logits, size=(h, w), mode="bilinear", align_corners=False)
        top = up[0].topk(2, 0).values
        path = os.path.join(sys.argv[2], f"{name}_{h}x{w}_{classes}.safetensors")
        save(path, dict(logits=logits[0].numpy(), labels=up.argmax(1)[0].to(torch.uint8).numpy(),
                        margin=(top[0] - top[1]).numpy().astype("float16")),
             dict(variant=name, height=h, width=w, classes=classes, weights="procedural"))
        print(path, os.path.getsize(path), flush=True)


if __name__ == "__main__":
    main()
