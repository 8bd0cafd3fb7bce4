"""transformers' CLIPVisionModel as diffusers' WanImageToVideoPipeline runs it: every hidden state kept, one used."""

from __future__ import annotations

from pathlib import Path

import torch

from ..case import Case, Run, head
from modelmeter.recording.device import building, freeze, set_dtype, tensor

#: image_encoder/config.json of the published pipelines.
_VIT_H_14 = {"image_size": 224, "patch_size": 14, "hidden_size": 1280, "intermediate_size": 5120, "projection_dim": 1024,
             "num_attention_heads": 16, "num_hidden_layers": 32, "hidden_act": "gelu"}
_DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}


def build(case: Case, repositories: dict[str, Path]) -> Run:
    import transformers
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = {**_VIT_H_14, **case.config}
    work = case.workload
    with building():
        module = freeze(CLIPVisionModel(CLIPVisionConfig(**config, attn_implementation="sdpa")))
    set_dtype(module, _DTYPES[work.get("dtype", "f32")])
    batch, size = work.get("batch_size", 1), config["image_size"]
    image = tensor(batch, 3, size, size, dtype=torch.float32)
    return Run(module, lambda: module(pixel_values=image, output_hidden_states=True).hidden_states[-2], image,
               head(case, f"transformers {transformers.__version__} CLIPVisionModel.forward(pixel_values, "
                          "output_hidden_states=True)", "transformers", config,
                    {"batch_size": batch, "height": size, "width": size}))
