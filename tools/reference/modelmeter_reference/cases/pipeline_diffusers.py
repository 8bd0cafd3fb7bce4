"""diffusers' Wan pipelines without the models: what __call__ runs around them, from the prompt to frames on the host.

The pipelines and the scheduler are the real ones; each model is a stand-in that takes memory for its result.
"""

from __future__ import annotations

import contextlib
import types
from pathlib import Path

import torch
from PIL import Image
from torch._subclasses.fake_tensor import unset_fake_temporarily

from ..case import Case, Run, head, latent_frames
from modelmeter.recording.device import DEVICE, tensor
from modelmeter.recording.host import Host

#: The class by task. Text to video per token (Wan2.2 5B) is the first with `expand_timesteps`.
_PIPELINES = {"t2v": "WanPipeline", "ti2v": "WanPipeline", "i2v": "WanImageToVideoPipeline",
              "flf2v": "WanImageToVideoPipeline", "vace": "WanVACEPipeline"}
#: scheduler/scheduler_config.json of the published pipelines.
_SCHEDULER = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0,
              "num_train_timesteps": 1000}
#: Others as people make them of that config; distilled models come with the flow-matching ones.
_SCHEDULERS = {
    "unipc": lambda d: d.UniPCMultistepScheduler(**_SCHEDULER),
    "dpm++": lambda d: d.DPMSolverMultistepScheduler.from_config(d.UniPCMultistepScheduler(**_SCHEDULER).config),
    "euler": lambda d: d.FlowMatchEulerDiscreteScheduler(shift=3.0),
    "lcm": lambda d: d.FlowMatchLCMScheduler(shift=3.0),
}
_IMAGE_TOKENS, _IMAGE_DIM, _TEXT_DIM = 257, 1280, 4096
_DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}


class _StandIn(torch.nn.Module):
    """A model: its call takes memory for the result."""

    def __init__(self, call=None, **attributes) -> None:
        super().__init__()
        self._call, self.device = call, DEVICE
        self.__dict__.update(attributes)

    def forward(self, *args, **kwargs):
        return self._call(*args, **kwargs)

    def cache_context(self, *_, **__):
        return contextlib.nullcontext()


class _Answers(Host):
    """The place of the first time step in the list, whether it is above the boundary, and a noise level."""

    nonzeros = 1

    def scalar(self, kernel: str) -> int:
        return {"aten.nonzero": 0, "aten.ge": 1}.get(kernel, 0)

    def values(self, value: torch.Tensor) -> torch.Tensor:
        with unset_fake_temporarily():
            return torch.zeros(value.shape, dtype=value.dtype)


def build(case: Case, repositories: dict[str, Path]) -> Run:
    import diffusers
    from diffusers.video_processor import VideoProcessor

    work = case.workload
    config = {"task": "t2v", "scheduler": "unipc", "guidance": True, "dtype": "bf16", "experts": 1, **case.config}
    task, dtype = config["task"], _DTYPES[config["dtype"]]
    name = _PIPELINES["i2v" if config.get("image") else task]
    channels, temporal, spatial = (48, 4, 16) if task == "ti2v" else (16, 4, 8)
    batch, frames, height, width = work.get("batch_size", 1), work["num_frames"], work["height"], work["width"]
    text_len = work.get("text_len", 512)
    latent = [channels, latent_frames(frames, temporal), height // spatial, width // spatial]
    prompt_tokens = work.get("prompt_tokens", 60)  # of each prompt, or a list
    prompts = [min(p, text_len) for p in (prompt_tokens if isinstance(prompt_tokens, list) else [prompt_tokens] * batch)]
    prompt_tokens = prompts if isinstance(prompt_tokens, list) else prompts[0]
    images = 1 if config.get("image") else {"i2v": 1, "flf2v": 2}.get(task, 0)
    clip = images and config["experts"] == 1 and task != "ti2v"

    def tokenize(texts, **_):
        mask = torch.zeros(len(texts), text_len, dtype=torch.int64)
        for row, tokens in zip(mask, prompts):
            row[:tokens] = 1
        return types.SimpleNamespace(input_ids=torch.zeros_like(mask), attention_mask=mask)

    def encode_text(ids, mask):
        return types.SimpleNamespace(last_hidden_state=tensor(*ids.shape, _TEXT_DIM, dtype=torch.bfloat16))

    def encode_image(pixel_values, **_):
        states = tensor(len(pixel_values), _IMAGE_TOKENS, _IMAGE_DIM, dtype=torch.float32)
        return types.SimpleNamespace(hidden_states=[states, None])

    def preprocess_images(images, **_):
        from transformers import BatchFeature
        count = len(images) if isinstance(images, list) else 1
        return BatchFeature({"pixel_values": torch.zeros(count, 3, 224, 224)})

    def encode_video(video):
        moments = tensor(len(video), 2 * channels, latent_frames(video.shape[2], temporal), *latent[2:],
                         dtype=torch.float32)
        return types.SimpleNamespace(latent_dist=types.SimpleNamespace(mode=lambda: moments.chunk(2, 1)[0]))

    def decode(latents, **_):
        return (tensor(len(latents), 3, frames, height, width, dtype=torch.float32),)

    def denoise(hidden_states, **_):
        return (tensor(len(hidden_states), channels, *hidden_states.shape[2:], dtype=dtype),)

    transformer = _StandIn(denoise, dtype=dtype, config=types.SimpleNamespace(
        patch_size=(1, 2, 2), in_channels=channels, image_dim=_IMAGE_DIM if clip else None,
        vace_layers=list(range(config.get("control_layers", 8)))))
    properties = {
        "_execution_device": DEVICE,
        "config": types.SimpleNamespace(boundary_ratio=0.9 if config["experts"] == 2 else None,
                                        expand_timesteps=task == "ti2v"),
        "progress_bar": lambda self, **_: contextlib.nullcontext(types.SimpleNamespace(update=lambda: None)),
        "maybe_free_model_hooks": lambda self: None,
    }
    pipeline = object.__new__(type(name, (getattr(diffusers, name),), properties))
    numbers = types.SimpleNamespace(z_dim=channels, latents_mean=[0.5] * channels, latents_std=[2.0] * channels)
    for key, value in {
        "tokenizer": tokenize, "text_encoder": _StandIn(encode_text, dtype=torch.bfloat16),
        "image_processor": preprocess_images, "image_encoder": _StandIn(encode_image),
        "vae": _StandIn(dtype=torch.float32, config=numbers, encode=encode_video, decode=decode),
        "transformer": transformer, "transformer_2": transformer,
        "vae_scale_factor_temporal": temporal, "vae_scale_factor_spatial": spatial,
        "video_processor": VideoProcessor(vae_scale_factor=spatial),
    }.items():
        pipeline.__dict__[key] = value
    options = {"prompt": "-" if batch == 1 else ["-"] * batch, "negative_prompt": "-" if batch == 1 else ["-"] * batch,
               "height": height, "width": width, "num_frames": frames,
               "num_inference_steps": work["num_inference_steps"], "max_sequence_length": text_len,
               "guidance_scale": 5.0 if config["guidance"] else 1.0}
    picture = Image.new("RGB", (width, height))
    if images:
        options["image"] = picture
    if images == 2:
        options["last_image"] = picture
    if task == "vace":
        options["video"], options["mask"] = [picture] * frames, [picture] * frames
        options["reference_images"] = [picture] * config.get("reference_images", 0) or None

    with unset_fake_temporarily():  # they read numbers of their tables
        pipeline.__dict__["scheduler"] = _SCHEDULERS[config["scheduler"]](diffusers)

    module = type(name, (torch.nn.Module,), {})()
    workload = {"batch_size": batch, "num_frames": frames, "height": height, "width": width, "latent": latent,
                "text_len": text_len, "prompt_tokens": prompt_tokens,
                "num_inference_steps": work["num_inference_steps"]}
    return Run(module, lambda: pipeline(**options), (),
               head(case, f"diffusers {diffusers.__version__} {name}.__call__ around the models", "diffusers", config,
                    workload, "none"), host=_Answers())
