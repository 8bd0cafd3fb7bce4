"""diffusers' AutoencoderKLWan, fp32 unless the case says otherwise."""

from __future__ import annotations

from pathlib import Path

import torch

from ..case import Case, Run, head, latent_frames
from modelmeter.recording.device import building, freeze, set_dtype, tensor

_DEFAULTS = {"base_dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": [],
             "temperal_downsample": [False, True, True], "dropout": 0.0}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def build(case: Case, repositories: dict[str, Path]) -> Run:
    import diffusers
    from diffusers import AutoencoderKLWan

    work = case.workload
    config = {**_DEFAULTS, **case.config}
    precision = work.get("precision", "fp32")
    with building():
        module = set_dtype(freeze(AutoencoderKLWan(**config)), _DTYPES[precision])
    if work.get("tiling"):
        module.enable_tiling()
    if work.get("slicing"):
        module.enable_slicing()

    batch = work.get("batch_size", 1)
    spatial = config.get("scale_factor_spatial", 8)
    latent = [batch, config["z_dim"], latent_frames(work["num_frames"]), work["height"] // spatial,
              work["width"] // spatial]
    step = work.get("step", "decode")
    shape = latent if step == "decode" else [batch, 3, work["num_frames"], work["height"], work["width"]]
    value = tensor(*shape, dtype=_DTYPES[precision])

    def forward():
        return getattr(module, step)(value, return_dict=False)[0]

    workload = {"batch_size": batch, "num_frames": work["num_frames"], "height": work["height"],
                "width": work["width"], "text_len": 512, "latent": latent, "direction": step}
    for key in ("tiling", "slicing"):
        if key in work:
            workload[key] = work[key]
    return Run(module, forward, value,
               head(case, f"diffusers {diffusers.__version__} AutoencoderKLWan.{step} ({precision})", "diffusers",
                    config, workload), ("decoder", "encoder"))
