"""The official VAE: WanVAE of wan/modules/vae.py and Wan2_2_VAE of vae2_2.py, fp32."""

from __future__ import annotations

from pathlib import Path

import torch

from ..case import Case, Run, head, latent_frames, official
from modelmeter.recording.device import DEVICE, building, freeze, tensor

_CODE = {
    "2.1": ("wan.modules.vae", "WanVAE", "Wan2.1 @9737cba wan/modules/vae.py", [4, 8, 8],
            {"dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": [],
             "temperal_downsample": [False, True, True], "dropout": 0.0}),
    "2.2": ("wan.modules.vae2_2", "Wan2_2_VAE", "Wan2.2 @42bf4cf wan/modules/vae2_2.py", [4, 16, 16],
            {"dim": 160, "dec_dim": 256, "z_dim": 48, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": [],
             "temperal_downsample": [False, True, True], "dropout": 0.0}),
}


def build(case: Case, repositories: dict[str, Path]) -> Run:
    work = case.workload
    generation = work.get("generation", "2.1")
    name, wrapper, code, stride, defaults = _CODE[generation]
    source, = official(repositories[generation], name)
    config = {**defaults, **case.config}
    with building():
        module = freeze(source.WanVAE_(**config))
    vae = object.__new__(getattr(source, wrapper))  # its __init__ loads a checkpoint
    vae.dtype, vae.device, vae.model = torch.float32, DEVICE, module
    vae.scale = [tensor(config["z_dim"], dtype=torch.float32) for _ in range(2)]  # the mean, 1 / standard deviation

    batch = work.get("batch_size", 1)
    latent = [config["z_dim"], latent_frames(work["num_frames"], stride[0]),
              work["height"] // stride[1], work["width"] // stride[2]]
    step = work.get("step", "decode")
    shape = latent if step == "decode" else [3, work["num_frames"], work["height"], work["width"]]
    inputs = [tensor(*shape, dtype=torch.float32) for _ in range(batch)]
    return Run(module, lambda: getattr(vae, step)(inputs), (inputs, vae.scale),
               head(case, f"{code} {wrapper}.{step} (fp32)", "official", config,
                    {"batch_size": batch, "num_frames": work["num_frames"], "height": work["height"],
                     "width": work["width"], "text_len": 512, "latent": latent, "direction": step},
                    generation=generation), ("decoder", "encoder"))
