"""transformers' UMT5EncoderModel, bf16."""

from __future__ import annotations

from pathlib import Path

import torch

from ..case import Case, Run, head
from modelmeter.recording.device import building, freeze, set_dtype, tensor

_XXL = {"vocab_size": 256384, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64,
        "feed_forward_proj": "gated-gelu"}


def build(case: Case, repositories: dict[str, Path]) -> Run:
    import transformers
    from transformers import UMT5Config, UMT5EncoderModel

    config = {**_XXL, **case.config}
    with building():
        module = freeze(UMT5EncoderModel(UMT5Config(**config, attn_implementation="sdpa")))
    set_dtype(module, torch.bfloat16)
    module.tie_weights()
    batch, text_len = case.workload.get("batch_size", 1), case.workload["text_len"]
    ids, mask = (tensor(batch, text_len, dtype=torch.int64) for _ in range(2))
    return Run(module, lambda: module(ids, mask), (ids, mask),
               head(case, f"transformers {transformers.__version__} UMT5EncoderModel.forward(ids, mask)",
                    "transformers", config, {"batch_size": batch, "text_len": text_len}))
