"""generate() of the official pipelines, without the models: what runs around them, from the prompt to the video.

The pipelines are the real ones; each model is a stand-in that takes memory for its result.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types
from pathlib import Path
from unittest import mock

import torch
from PIL import Image
from torch._subclasses.fake_tensor import unset_fake_temporarily

from modelmeter.recording.attention import flash_attn_package
from ..case import Case, Run, head, latent_frames, official
from modelmeter.recording.device import DEVICE, tensor
from modelmeter.recording.host import Host

_COMMIT = {"2.1": "Wan2.1 @9737cba", "2.2": "Wan2.2 @42bf4cf"}
#: By task and generation: the module, the class of the pipeline.
_PIPELINES = {("t2v", "2.1"): ("text2video", "WanT2V"), ("i2v", "2.1"): ("image2video", "WanI2V"),
              ("flf2v", "2.1"): ("first_last_frame2video", "WanFLF2V"), ("vace", "2.1"): ("vace", "WanVace"),
              ("t2v", "2.2"): ("text2video", "WanT2V"), ("i2v", "2.2"): ("image2video", "WanI2V"),
              ("ti2v", "2.2"): ("textimage2video", "WanTI2V")}
_IMAGE_TOKENS, _IMAGE_DIM, _TEXT_DIM = 257, 1280, 4096


class _StandIn:
    """A model: its call takes memory for the result; it can be moved, which nothing records."""

    def __init__(self, call, **attributes) -> None:
        self._call = call
        self.__dict__.update(attributes)

    def __call__(self, *args, **kwargs):
        return self._call(*args, **kwargs)

    def to(self, *_):
        return self

    def cpu(self):
        return self

    def parameters(self):
        yield torch.empty(())


class _Answers(Host):
    """The place of the first time step in the list, a time step, whether a deviation is 0, the length of a prompt."""

    nonzeros = 1

    def __init__(self, prompt_tokens: int) -> None:
        self._prompt_tokens = prompt_tokens

    def scalar(self, kernel: str) -> int:
        return {"aten.nonzero": 0, "aten.stack": 999, "aten.any": 0}.get(kernel, self._prompt_tokens)

    def values(self, value: torch.Tensor) -> torch.Tensor:
        with unset_fake_temporarily():
            return torch.zeros(value.shape, dtype=value.dtype)


def build(case: Case, repositories: dict[str, Path]) -> Run:
    work = case.workload
    config = {"task": "t2v", "scheduler": "unipc", "offload_model": False, "t5_cpu": False, **case.config}
    generation, task = work.get("generation", "2.1"), config["task"]
    file, name = _PIPELINES[task, generation]
    with flash_attn_package(), _video_files():
        code, t5, *clip = official(repositories[generation], f"wan.{file}", "wan.modules.t5",
                                   *(["wan.modules.clip"] if generation == "2.1" else []))
    channels, stride = (48, (4, 16, 16)) if task == "ti2v" else (16, (4, 8, 8))
    height, width, frames, text_len = work["height"], work["width"], work["num_frames"], work.get("text_len", 512)
    latent = [channels, latent_frames(frames, stride[0]), height // stride[1], width // stride[2]]
    prompt_tokens = min(work.get("prompt_tokens", 60), text_len)

    def encode(ids, mask):
        return torch.empty(len(ids), text_len, _TEXT_DIM, dtype=torch.bfloat16, device=ids.device)

    def tokenize(texts, **_):
        mask = torch.zeros(len(texts), text_len, dtype=torch.int64)
        mask[:, :prompt_tokens] = 1
        return torch.zeros_like(mask), mask

    def like_each(x, **_):
        return [torch.empty_like(u) for u in x]

    def latents(videos):
        return [tensor(channels, latent_frames(v.shape[1], stride[0]), *latent[2:], dtype=torch.float32) for v in videos]

    def video(_):
        return [tensor(3, frames, height, width, dtype=torch.float32)]

    pipeline = object.__new__(getattr(code, name))
    text_encoder = object.__new__(t5.T5EncoderModel)
    text_encoder.__dict__.update(model=_StandIn(encode), tokenizer=tokenize)
    model = _StandIn(like_each)
    pipeline.__dict__.update(
        device=DEVICE, rank=0, sp_size=1, t5_cpu=config["t5_cpu"], init_on_cpu=False, num_train_timesteps=1000,
        param_dtype=torch.bfloat16, vae_stride=stride, patch_size=(1, 2, 2), sample_neg_prompt="", boundary=0.9,
        text_encoder=text_encoder, model=model, low_noise_model=model, high_noise_model=model,
        vae=types.SimpleNamespace(encode=latents, decode=video, model=types.SimpleNamespace(z_dim=channels)))
    options = {"frame_num": frames, "sample_solver": config["scheduler"], "sampling_steps": work["num_inference_steps"],
               "n_prompt": "-", "seed": 0, "offload_model": config["offload_model"]}
    inputs: list[torch.Tensor] = []
    if task in ("i2v", "flf2v"):
        options["max_area"] = height * width
        images = [Image.new("RGB", (width, height)) for _ in range(2 if task == "flf2v" else 1)]
        if clip:
            pipeline.clip = object.__new__(clip[0].CLIPModel)
            pipeline.clip.__dict__.update(dtype=torch.float16, transforms=_normalisation(), model=_StandIn(
                None, image_size=224,
                visual=lambda x, **_: tensor(len(x), _IMAGE_TOKENS, _IMAGE_DIM, dtype=torch.float16)))
        arguments = ("-", *images)
    elif task == "vace":
        options["size"] = (width, height)
        inputs += [tensor(3, frames, height, width, dtype=torch.float32) for _ in range(2)]
        references = [tensor(3, 1, height, width, dtype=torch.float32) for _ in range(config.get("src_ref_images", 0))]
        inputs += references
        arguments = ("-", [inputs[0]], [inputs[1]], [references] if references else None)
    elif config.get("image"):  # text and an image to video, of the second generation
        options["max_area"] = height * width
        arguments = ("-", Image.new("RGB", (width, height)))
    else:
        options["size"] = (width, height)
        arguments = ("-",)
    generator = torch.Generator()  # of the host: there is no device to make one on

    def forward():
        with mock.patch.object(torch, "Generator", lambda device: generator):
            return pipeline.generate(*arguments, **options)

    module = type(name, (torch.nn.Module,), {})()
    workload = {"batch_size": 1, "num_frames": frames, "height": height, "width": width, "latent": latent,
                "text_len": text_len, "prompt_tokens": prompt_tokens,
                "num_inference_steps": work["num_inference_steps"]}
    return Run(module, forward, inputs,
               head(case, f"{_COMMIT[generation]} wan/{file}.py {name}.generate() around the models", "official", config,
                    workload, "none", generation), host=_Answers(prompt_tokens))


def _normalisation():
    """The last of the image encoder's transforms."""
    from torchvision import transforms

    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    return types.SimpleNamespace(transforms=[transforms.Normalize(mean=mean, std=std)])


def _video_files():
    """Stands for the package imageio, with which the second generation writes videos."""
    package = types.ModuleType("imageio")
    package.__spec__ = importlib.machinery.ModuleSpec("imageio", None)
    return mock.patch.dict(sys.modules, imageio=package)
