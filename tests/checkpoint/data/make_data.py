#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the small .pth files beside it with a real PyTorch, so that the reader meets real pickles:
python3 make_data.py. Needs torch and numpy. Every tensor counts 0, 1, 2 ... in its own order."""
import os
import sys
import types
from collections import OrderedDict

import numpy as np
import torch

here = os.path.dirname(os.path.abspath(__file__))


def count(*shape, dtype=torch.float32):
    return torch.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)


def shapes():
    """Views of all kinds; the values that a reader must find are again 0, 1, 2 ... in row-major order."""
    shared = torch.arange(20, dtype=torch.float32)
    sliced = torch.full((3, 10), -1.0)
    sliced[:, 2:6] = count(3, 4)
    return OrderedDict(
        plain=count(2, 3), half=count(5, dtype=torch.float32).half(), bfloat16=count(5).bfloat16(),
        double=count(5, dtype=torch.float64), scalar=torch.tensor(0.0), empty=torch.zeros(0, 4),
        transposed=count(3, 4).t().contiguous().t(), permuted=count(2, 3, 4).permute(2, 0, 1).contiguous().permute(1, 2, 0),
        sliced=sliced[:, 2:6], head=shared[:8], tail=shared[10:13] - 0, expanded=torch.zeros(1).expand(3),
        parameter=torch.nn.Parameter(count(2, 2)), long=torch.arange(3), bool=torch.tensor([True, False]))


class HistoryBuffer:
    def __init__(self):
        self._log_history, self._count_history = np.array([0.5, 0.25]), np.array([1, 1])
        self._statistics_methods = OrderedDict(mean=HistoryBuffer.mean)

    def mean(self):
        return 0


def pretend_mmengine():
    for name in ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["mmengine.logging.history_buffer"].HistoryBuffer = HistoryBuffer
    HistoryBuffer.__module__ = "mmengine.logging.history_buffer"


def save(name, value, **options):
    torch.save(value, os.path.join(here, name), **options)


meta = dict(mmseg_version="0.30.0", seed=1 << 40, CLASSES=("bed ", "sky"), PALETTE=[[1, 2, 3], [4, 5, 6]], iter=160000,
            hook_msgs=dict(best_score=np.float64(0.5), best_ckpt="best.pth"), env=None, big=1 << 90)
optimizer = dict(state={0: dict(step=3, exp_avg=torch.zeros(4, 4))}, param_groups=[dict(lr=6e-5, betas=(0.9, 0.999), params=[0])])
network = torch.nn.Sequential(torch.nn.Conv2d(2, 2, 1), torch.nn.BatchNorm2d(2))
with torch.no_grad():
    for t in network.state_dict().values():
        t.copy_(count(*t.shape, dtype=t.dtype))
state = OrderedDict(("module." + k, v) for k, v in network.state_dict().items())
state._metadata = network.state_dict()._metadata

save("shapes.pth", shapes())
save("protocol4.pth", dict(state_dict=shapes()), pickle_protocol=4)
save("mmcv.pth", dict(meta=meta, state_dict=state, optimizer=optimizer))
pretend_mmengine()
save("mmengine.pth", dict(
    meta=dict(cfg="x = 1", dataset_meta=dict(classes=["cat", "dog"], palette=np.zeros((2, 3), np.int64), label_map=None)),
    state_dict=network.state_dict(), message_hub=dict(log_scalars=OrderedDict(loss=HistoryBuffer())), seen={1, 2}))
save("ema.pth", dict(state_dict=dict(w=torch.ones(2)), state_dict_ema=dict(w=count(2))))
save("tensor.pth", count(2))
save("no_weights.pth", dict(model="x", epoch=3))
save("legacy.pth", dict(state_dict=dict(w=count(2))), _use_new_zipfile_serialization=False)
