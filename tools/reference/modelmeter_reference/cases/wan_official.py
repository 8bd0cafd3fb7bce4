"""The official DiT: wan/modules/model.py and vace_model.py, weights fp32, under autocast(bf16)."""

from __future__ import annotations

import contextlib
import math
import types
from pathlib import Path

import torch

from modelmeter.recording.attention import flash_attn_package
from ..case import TIMESTEPS, Case, Run, head, latent_frames, official
from modelmeter.recording.device import building, freeze, tensor

_IMAGE_TOKENS, _IMAGE_DIM, _TEXT_DIM = 257, 1280, 4096
_CONDITION_CHANNELS = 20  # mask and latent of the conditioning frames
_FLOATS = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
_COMMIT = {"2.1": "Wan2.1 @9737cba", "2.2": "Wan2.2 @42bf4cf"}


def _share_sequence(module: torch.nn.Module, parallel: types.ModuleType, ulysses: int, rank: int) -> None:
    """What `_configure_model(use_sp=True)` does with a model, on PyTorch's fake process group."""
    import torch.distributed as dist
    from torch.testing._internal.distributed.fake_pg import FakeStore

    if dist.is_initialized():
        dist.destroy_process_group()
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=ulysses)
    for block in module.blocks:
        block.self_attn.forward = types.MethodType(parallel.sp_attn_forward, block.self_attn)
    module.forward = types.MethodType(parallel.sp_dit_forward, module)


def build(case: Case, repositories: dict[str, Path]) -> Run:
    work = case.workload
    generation = work.get("generation", "2.1")
    vace = "vace" in case.variant
    ulysses, rank = work.get("ulysses", 1), work.get("rank", 0)
    with flash_attn_package():
        model, *rest = official(repositories[generation], "wan.modules.model",
                                *(["wan.modules.vace_model"] if vace else []),
                                *(["wan.distributed.sequence_parallel"] if ulysses > 1 else []))
    defaults = {"patch_size": [1, 2, 2], "text_len": work.get("text_len", 512), "window_size": [-1, -1],
                "qk_norm": True, "cross_attn_norm": True, "eps": 1e-6, "model_type": "vace" if vace else "t2v"}
    config = {**defaults, **case.config}
    arguments = {key: tuple(value) if key in ("patch_size", "window_size") else value for key, value in config.items()}
    with building():
        module = freeze((rest[0].VaceWanModel if vace else model.WanModel)(**arguments))

    batch = work.get("batch_size", 1)
    stride = work.get("vae_stride", [4, 8, 8])
    patch = config["patch_size"]
    if ulysses > 1:
        _share_sequence(module, rest[-1], ulysses, rank)
    latent = [config.get("out_dim", 16), latent_frames(work["num_frames"], stride[0]),
              work["height"] // stride[1], work["width"] // stride[2]]
    tokens = math.prod(latent[1:]) // math.prod(patch)
    seq_len = work.get("seq_len", math.ceil(tokens / ulysses) * ulysses)
    prompt = work.get("prompt_tokens", 60)  # one for each sample of the batch, or a list
    prompt = [min(p, config["text_len"]) for p in prompt] if isinstance(prompt, list) else min(prompt, config["text_len"])
    prompts = prompt if isinstance(prompt, list) else [prompt] * batch
    image = config["model_type"] in ("i2v", "flf2v")
    clip = image and generation == "2.1"

    x = [tensor(*latent, dtype=torch.float32) for _ in range(batch)]
    per_token = work.get("token_timesteps", False)
    time_shape = (batch, seq_len) if per_token else (batch,)
    time_dtype = work.get("timestep_dtype", "f32" if per_token else "i64")
    arguments = {"t": tensor(*time_shape, dtype=TIMESTEPS[time_dtype]),
                 "context": [tensor(p, _TEXT_DIM, dtype=torch.bfloat16) for p in prompts]}
    if clip:
        images = 2 if config["model_type"] == "flf2v" else 1
        image_dtype = work.get("image_dtype", "f16")
        arguments["clip_fea"] = tensor(batch * images, _IMAGE_TOKENS, _IMAGE_DIM, dtype=_FLOATS[image_dtype])
    if image:
        arguments["y"] = [tensor(_CONDITION_CHANNELS, *latent[1:], dtype=torch.float32) for _ in range(batch)]
    if vace:
        arguments["vace_context"] = [tensor(config["vace_in_dim"], *latent[1:], dtype=torch.float32)
                                     for _ in range(batch)]

    def forward():
        with torch.autocast("cuda", dtype=torch.bfloat16) if work.get("autocast", True) else contextlib.nullcontext():
            return module(x, seq_len=seq_len, **arguments)

    workload = {"batch_size": batch, "num_frames": work["num_frames"], "height": work["height"],
                "width": work["width"], "text_len": config["text_len"], "latent": latent, "prompt_tokens": prompt,
                "seq_len": seq_len, **({"token_timesteps": True} if per_token else {}), "timestep_dtype": time_dtype,
                **({"image_dtype": image_dtype} if clip else {})}
    for key in ("vae_stride", "autocast"):
        if key in work:
            workload[key] = work[key]
    file, cls = ("vace_model.py", "VaceWanModel") if vace else ("model.py", "WanModel")
    code = f"{_COMMIT[generation]} wan/modules/{file} {cls}.forward under autocast(bf16), weights fp32"
    if ulysses > 1:
        code = code.replace(f"modules/{file} {cls}.forward", "distributed/sequence_parallel.py sp_dit_forward")
    fields = head(case, code, "official", config, workload, generation=generation)
    return Run(module, forward, (x, arguments),
               {**fields, **({"parallel": {"ulysses": ulysses, "rank": rank}} if ulysses > 1 else {})})
