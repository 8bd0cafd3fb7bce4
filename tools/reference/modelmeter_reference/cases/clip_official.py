"""The official image encoder: wan/modules/clip.py, fp16, under autocast(fp16)."""

from __future__ import annotations

from pathlib import Path

import torch

from modelmeter.recording.attention import flash_attn_package
from ..case import Case, Run, head, official
from modelmeter.recording.device import building, freeze, set_dtype, tensor

_VIT_H_14 = {"image_size": 224, "patch_size": 14, "dim": 1280, "mlp_ratio": 4, "out_dim": 1024, "num_heads": 16,
             "num_layers": 32, "pool_type": "token", "pre_norm": True, "post_norm": False, "activation": "gelu"}


def build(case: Case, repositories: dict[str, Path]) -> Run:
    with flash_attn_package():
        clip, = official(repositories["2.1"], "wan.modules.clip")
    config = {**_VIT_H_14, **case.config}
    with building():
        module = set_dtype(freeze(clip.VisionTransformer(**config)), torch.float16)
    batch, size = case.workload.get("batch_size", 1), config["image_size"]
    image = tensor(batch, 3, size, size, dtype=torch.float32)

    def forward():
        with torch.autocast("cuda", dtype=torch.float16):
            return module(image, use_31_block=True)

    return Run(module, forward, image,
               head(case, "Wan2.1 @9737cba wan/modules/clip.py VisionTransformer.forward(use_31_block=True) under "
                          "autocast(fp16), weights fp16", "official", config,
                    {"batch_size": batch, "height": size, "width": size}, generation="2.1"))
