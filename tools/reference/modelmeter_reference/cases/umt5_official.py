"""The official text encoder: wan/modules/t5.py, bf16, without autocast."""

from __future__ import annotations

from pathlib import Path

import torch

from ..case import Case, Run, head, official
from modelmeter.recording.device import building, freeze, set_dtype, tensor

_XXL = {"vocab": 256384, "dim": 4096, "dim_attn": 4096, "dim_ffn": 10240, "num_heads": 64, "num_layers": 24,
        "num_buckets": 32, "shared_pos": False, "dropout": 0.1}


def build(case: Case, repositories: dict[str, Path]) -> Run:
    t5, = official(repositories["2.1"], "wan.modules.t5")
    config = {**_XXL, **case.config}
    with building():
        module = set_dtype(freeze(t5.T5Encoder(**config)), torch.bfloat16)
    batch, text_len = case.workload.get("batch_size", 1), case.workload["text_len"]
    ids, mask = (tensor(batch, text_len, dtype=torch.int64) for _ in range(2))
    return Run(module, lambda: module(ids, mask), (ids, mask),
               head(case, "Wan2.1 @9737cba wan/modules/t5.py T5Encoder.forward(ids, mask)", "official", config,
                    {"batch_size": batch, "text_len": text_len}, "explicit", "2.1"))
