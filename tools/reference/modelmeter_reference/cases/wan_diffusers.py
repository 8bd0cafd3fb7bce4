"""diffusers' WanTransformer3DModel and WanVACETransformer3DModel, weights bf16 but for those the class keeps in fp32."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from ..case import TIMESTEPS, Case, Run, head, latent_frames
from modelmeter.recording.device import building, freeze, set_dtype, tensor

_TEXT_DIM, _IMAGE_TOKENS = 4096, 257


def build(case: Case, repositories: dict[str, Path]) -> Run:
    return run(case, "WanTransformer3DModel")


def run(case: Case, class_name: str) -> Run:
    import diffusers

    cls = getattr(diffusers, class_name)
    work = case.workload
    config = {"num_attention_heads": 40, "attention_head_dim": 128, "in_channels": 16, "out_channels": 16,
              "text_dim": _TEXT_DIM, "freq_dim": 256, "ffn_dim": 13824, "num_layers": 40, **case.config}
    with building():
        module = freeze(cls(**config))
    fp32 = cls._keep_in_fp32_modules
    set_dtype(module, torch.bfloat16, keep=lambda name: any(part in name.split(".") for part in fp32)
              or not any(name == parameter for parameter, _ in module.named_parameters()))

    batch = work.get("batch_size", 1)
    stride = work.get("vae_stride", [4, 8, 8])
    text_len = work.get("text_len", 512)
    latent = [batch, config["in_channels"], latent_frames(work["num_frames"], stride[0]),
              work["height"] // stride[1], work["width"] // stride[2]]
    patch = config.get("patch_size", (1, 2, 2))
    tokens = math.prod(size // step for size, step in zip(latent[2:], patch))
    hidden_states = tensor(*latent, dtype=torch.bfloat16)
    per_token = work.get("token_timesteps", False)
    time_dtype = work.get("timestep_dtype", "f32" if per_token else "i64")
    arguments = {"timestep": tensor(*((batch, tokens) if per_token else (batch,)), dtype=TIMESTEPS[time_dtype]),
                 "encoder_hidden_states": tensor(batch, text_len, _TEXT_DIM, dtype=torch.bfloat16)}
    if config.get("image_dim"):
        images = 2 if config.get("pos_embed_seq_len") else 1
        arguments["encoder_hidden_states_image"] = tensor(batch * images, _IMAGE_TOKENS, config["image_dim"],
                                                          dtype=torch.bfloat16)
    if config.get("vace_layers"):
        arguments["control_hidden_states"] = tensor(batch, config["vace_in_channels"], *latent[2:], dtype=torch.bfloat16)

    def forward():
        return module(hidden_states=hidden_states, return_dict=False, **arguments)

    workload = {"batch_size": batch, "num_frames": work["num_frames"], "height": work["height"],
                "width": work["width"], "text_len": text_len, "latent": latent,
                **({"token_timesteps": True} if per_token else {}), "timestep_dtype": time_dtype}
    if "vae_stride" in work:
        workload["vae_stride"] = work["vae_stride"]
    code = f"diffusers {diffusers.__version__} {class_name}.forward"
    return Run(module, forward, (hidden_states, arguments), head(case, code, "diffusers", config, workload))
