"""DeepSeek-OCR: the model's own remote code, with the transformers its README names (4.46.3).

The directory of the remote code is given as the repository "deepseek-ocr". Needs an environment of its own. `config.KEY`
changes the decoder's value of that name in config.json; the sizes of the image encoders are constants of the code.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import sys
import types
from pathlib import Path

import torch

from modelmeter.recording.attention import findable_flash_attn
from ..case import Case, Run
from modelmeter.recording.device import building, freeze, set_dtype, tensor
from modelmeter.recording.host import Host

_PACKAGE = "deepseek_ocr_remote_code"
_CODE = ("deepseek-ai/DeepSeek-OCR remote code (git blobs: deepencoder.py de1687df, modeling_deepseekv2.py ff008470, "
         "modeling_deepseekocr.py 05ebf949), transformers 4.46.3: ")
_RAN = {
    "sam": "deepencoder.py build_sam_vit_b (ImageEncoderViT.forward)",
    "clip": "deepencoder.py build_clip_l (VitModel.forward) and MlpProjector.forward",
    "vision": "modeling_deepseekocr.py DeepseekOCRModel.forward without decoder layers",
    "layer-dense": "modeling_deepseekv2.py DeepseekV2DecoderLayer(layer_idx=0).forward",
    "layer-moe": "modeling_deepseekv2.py DeepseekV2DecoderLayer(layer_idx=1).forward",
    "head": "modeling_deepseekocr.py DeepseekOCRForCausalLM.forward with given hidden states",
    "prefill": "modeling_deepseekocr.py DeepseekOCRForCausalLM.forward",
    "decode": "modeling_deepseekocr.py DeepseekOCRForCausalLM.forward",
    "infer": "GenerationMixin.generate as DeepseekOCRForCausalLM.infer calls it",
}
_STAND_INS = {
    "host answers": "fake tensors have no values, so what the model reads back is answered: pixel sums (there is an image; "
                    "tiles or none), no 0 in the attention mask, positions grow, tokens per expert. The kernels that lead "
                    "there and the copy to the host are listed",
    "routing": "even: the counts of tokens per expert differ by at most 1, the first experts have the surplus "
               "(workload.tokens_per_expert). moe_infer itself runs unchanged",
    "attention kernels": "F.scaled_dot_product_attention as ATen chooses on GPUs where cuDNN is not preferred: flash without "
                         "a mask; with a mask memory-efficient attention, the mask padded to a multiple of 8 columns and "
                         "sliced back when its strides are not multiples of 8. flash_attn_func is ATen's copy of the same "
                         "kernel",
    "quick_gelu": "one kernel (jit.quick_gelu), as TorchScript's fuser makes it after the first two calls; before: cast "
                  "(autocast only), mul, sigmoid, mul",
    "scopes": "self_attn and mlp of the CLIP blocks, called past their hooks by the model, have scopes of their own here",
    "written out": "beside what README.md names: native_layer_norm of a strided input (contiguous copy first), "
                   "_upsample_bicubic2d_aa of a strided input (contiguous copies before and after), cat of different dtypes "
                   "(a copy_ for each)",
    "not seen at this level": "layout conversions around cuDNN convolutions, the split-KV combine kernel of flash attention, "
                              "zero_ in upsample_linear1d, the passes of sort and of masked_scatter_",
}
_CONFIG = ("hidden_size", "intermediate_size", "moe_intermediate_size", "n_routed_experts", "n_shared_experts",
           "num_experts_per_tok", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
           "first_k_dense_replace", "vocab_size", "rope_theta", "rms_norm_eps", "max_position_embeddings")
_PROMPT_TOKENS = 10
_BF16 = torch.bfloat16
_PATCHES = 64  # pixels that one vision token stands for, along each side


class _Answers(Host):
    """An image, tiles or none, nothing masked, positions that grow, even routing."""

    def __init__(self, pages: int, tiles: bool, tokens_per_expert: list[int] | None) -> None:
        self._sums = [1.0, *([1.0 if tiles else 0.0] * pages)]
        self._tokens_per_expert = tokens_per_expert

    def scalar(self, kernel: str):
        if kernel == "aten.sum":
            return self._sums.pop(0)
        return {"aten.any": False, "aten.all": True}[kernel]

    def values(self, tensor: torch.Tensor) -> torch.Tensor:
        from torch._subclasses.fake_tensor import unset_fake_temporarily

        assert self._tokens_per_expert is not None and list(tensor.shape) == [len(self._tokens_per_expert)]
        with unset_fake_temporarily():
            return torch.tensor(self._tokens_per_expert, dtype=tensor.dtype)


class _GenerationAnswers(_Answers):
    """And: no padding, the end after so many tokens, no two of which are alike, so that no n-gram repeats."""

    def __init__(self, pages: int, tiles: bool, of_prompt: list[int], of_token: list[int], max_new_tokens: int) -> None:
        super().__init__(pages, tiles, of_prompt)
        self._of_token = of_token
        self._left = max_new_tokens
        self._tokens = itertools.count(10)

    def scalar(self, kernel: str):
        if kernel == "aten.eq":  # whether all sequences are finished
            self._left -= 1
            self._tokens_per_expert = self._of_token
            return self._left == 0
        if kernel == "aten.gt":
            return False
        if kernel in ("aten.sum", "aten.any", "aten.all"):
            return super().scalar(kernel)
        return next(self._tokens)

    def values(self, tensor: torch.Tensor) -> torch.Tensor:
        if list(tensor.shape) == [len(self._of_token)]:
            return super().values(tensor)
        return torch.empty(tensor.shape, dtype=tensor.dtype)  # tokens for the streamer, which are not looked at


class _Streamer:
    def put(self, value) -> None:
        pass

    def end(self) -> None:
        pass


@torch.library.custom_op("jit::quick_gelu", mutates_args=(), device_types="cuda")
def _quick_gelu(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    raise NotImplementedError


@_quick_gelu.register_fake
def _(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty_like(x, dtype=dtype)


def quick_gelu(x: torch.Tensor) -> torch.Tensor:
    """One kernel, as TorchScript's fuser makes it; under autocast it computes and returns f32."""
    return torch.ops.jit.quick_gelu(x, torch.float32 if torch.is_autocast_enabled("cuda") else x.dtype)


def _remote_code(directory: Path) -> list[types.ModuleType]:
    package = types.ModuleType(_PACKAGE)
    package.__path__ = [str(directory)]
    sys.modules[_PACKAGE] = package
    ocr, encoder = (importlib.import_module(f"{_PACKAGE}.{name}") for name in ("modeling_deepseekocr", "deepencoder"))
    encoder.quick_gelu = quick_gelu
    return [ocr]


def _through_call(module: torch.nn.Module) -> None:
    """`module.forward(x)` runs the module's hooks too."""
    original, running = module.forward, []

    def forward(x):
        if running:
            return original(x)
        running.append(True)
        try:
            return module(x)
        finally:
            running.clear()

    module.forward = forward


def _even(assignments: int, experts: int) -> list[int]:
    return [assignments // experts + (expert < assignments % experts) for expert in range(experts)]


def build(case: Case, repositories: dict[str, Path]) -> Run:
    directory = repositories["deepseek-ocr"]
    work = case.workload
    stage, precision = work["case"], work["precision"]
    context = contextlib.ExitStack()
    context.enter_context(findable_flash_attn())
    with contextlib.redirect_stdout(sys.stderr):
        ocr, = _remote_code(directory)
    from transformers.cache_utils import DynamicCache

    settings = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    settings.pop("auto_map", None)
    settings |= case.config
    whole_depth = settings["num_hidden_layers"]
    layers = {"sam": 0, "clip": 0, "vision": 0, "head": 0, "layer-dense": 1, "layer-moe": 2}.get(stage)
    if layers is not None:
        settings["num_hidden_layers"] = layers
    implementation = "eager" if case.attention == "eager" else "flash_attention_2"
    unknown = [key for key in case.config if not hasattr(ocr.DeepseekOCRConfig(), key)]
    if unknown:
        raise SystemExit(f"error: DeepSeek-OCR's configuration has no {unknown[0]}")
    config = ocr.DeepseekOCRConfig(**settings, attn_implementation=implementation)
    with building():
        module = set_dtype(freeze(ocr.DeepseekOCRForCausalLM(config)), _BF16)
    for block in module.model.vision_model.transformer.layers:
        _through_call(block.self_attn)
        _through_call(block.mlp)

    batch = work.get("batch_size", 1)
    width = config.hidden_size
    head_dim = width // config.num_attention_heads
    new, cached = work.get("new_tokens", 0), work.get("cached_tokens", 0)
    experts = None
    if stage in ("layer-moe", "prefill", "decode", "infer"):
        experts = _even(new * batch * config.num_experts_per_tok, config.n_routed_experts)

    def cache(first: int, last: int) -> DynamicCache:
        made = DynamicCache()
        if cached:
            made.key_cache = [[] for _ in range(first)]
            made.value_cache = [[] for _ in range(first)]
            for _ in range(first, last):
                for side in (made.key_cache, made.value_cache):
                    side.append(tensor(batch, config.num_key_value_heads, cached, head_dim, dtype=_BF16))
            made._seen_tokens = cached
        return made

    described = {"batch_size": batch}
    roots: tuple[str, ...] = ("",)
    if stage == "sam":
        described["image"] = size = work["image"]
        roots = ("model.sam_model",)
        image = tensor(batch, 3, size, size, dtype=_BF16)
        inputs = [image]

        def run():
            return module.model.sam_model(image)
    elif stage == "clip":
        described["image"] = size = work["image"]
        roots = ("model.vision_model", "model.projector")
        image = tensor(batch, 3, size, size, dtype=_BF16)
        features = tensor(batch, 1024, size // _PATCHES, size // _PATCHES, dtype=_BF16)
        joined = tensor(batch, (size // _PATCHES) ** 2, 2048, dtype=_BF16)
        inputs = [image, features, joined]

        def run():
            return module.model.vision_model(image, features), module.model.projector(joined)
    elif stage == "head":
        described["tokens"] = work["tokens"]
        hidden = tensor(batch, work["tokens"], width, dtype=_BF16)
        inputs = [hidden]
        module.model = _Given(hidden)

        def run():
            return module(return_dict=True).logits
    elif stage.startswith("layer-"):
        index = layers - 1
        roots = (f"model.layers.{index}",)
        described |= {"new_tokens": new, "cached_tokens": cached}
        hidden = tensor(batch, new, width, dtype=_BF16)
        positions = tensor(batch, new, dtype=torch.int64)
        mask = tensor(batch, 1, new, cached + new, dtype=_BF16) if implementation == "eager" else None
        past = cache(index, index + 1)
        inputs = [hidden, positions, mask, past.key_cache, past.value_cache]

        def run():
            return module.model.layers[index](hidden, attention_mask=mask, position_ids=positions, past_key_value=past,
                                              output_attentions=False, use_cache=True)
    else:
        tiles, base = work.get("tiles"), work.get("base", 1024)
        per_side, tile_side = base // _PATCHES, work.get("tile", 640) // _PATCHES
        image_tokens = per_side * (per_side + 1) + 1
        if tiles:
            columns, rows = tiles
            image_tokens += rows * tile_side * (columns * tile_side + 1)
        prompt = image_tokens + _PROMPT_TOKENS
        new = new or prompt
        described |= {"mode": work.get("mode", "base"), "base": base, "tiles": tiles, "image_tokens": image_tokens,
                      "new_tokens": new, "cached_tokens": cached, **({"tile": work["tile"]} if "tile" in work else {})}

        def page() -> tuple[torch.Tensor, torch.Tensor]:
            original = tensor(1, 3, base, base, dtype=_BF16)
            if tiles:
                return tensor(tiles[0] * tiles[1], 3, tile_side * _PATCHES, tile_side * _PATCHES, dtype=_BF16), original
            return tensor(1, 3, base, base, dtype=torch.float32), original  # infer() gives zeros where there are no tiles

        images = [page() for _ in range(batch)]
        ids, positions = (tensor(batch, new, dtype=torch.int64) for _ in range(2))
        mask = tensor(batch, cached + new, dtype=torch.int64)
        sequence = tensor(batch, prompt, dtype=torch.bool)
        past = cache(0, config.num_hidden_layers)
        inputs = [images, ids, positions, mask, sequence, past.key_cache, past.value_cache]
        if stage == "vision":
            roots = ("model",)
        elif experts is not None:
            experts = _even(new * batch * config.num_experts_per_tok, config.n_routed_experts)
        ran = module.model if stage == "vision" else module
        pages = {"images": images, "images_seq_mask": sequence, "images_spatial_crop": [tiles or [1, 1]] * batch}
        if stage == "infer":
            described["max_new_tokens"] = work["max_new_tokens"]
            inputs = [images, ids, sequence]

        def run():
            with contextlib.redirect_stdout(sys.stderr):
                if stage == "infer":
                    return _generate(module, input_ids=ids, **pages)
                return ran(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=past,
                           use_cache=True, **pages, return_dict=True)

    def forward():
        if precision == "autocast":
            with torch.autocast("cuda", dtype=_BF16):
                return run()
        return run()

    if experts is not None:
        described["tokens_per_expert"] = experts
    head = {"model": "deepseek-ai/DeepSeek-OCR", "case": stage, "code": _CODE + _RAN[stage], "implementation": "official",
            "precision": precision, "attention": "none" if stage == "head" else case.attention, "variant": case.variant,
            "workload": described, "stand_ins": _STAND_INS}
    if stage == "head":
        head["config"] = {key: getattr(config, key) for key in ("hidden_size", "vocab_size")}
    elif stage not in ("sam", "clip"):
        sizes = {key: getattr(config, key) for key in (*_CONFIG, *(key for key in case.config if key not in _CONFIG))}
        if stage.startswith("layer-"):
            sizes["num_hidden_layers"] = whole_depth
        head["config"] = sizes
    if stage == "infer":
        of_token = _even(batch * config.num_experts_per_tok, config.n_routed_experts)
        host = _GenerationAnswers(batch, bool(tiles), experts, of_token, work["max_new_tokens"])
    else:
        host = _Answers(batch, bool(work.get("tiles")), experts)
    return Run(module, forward, inputs, head, roots=roots, host=host, context=context)


def _generate(module: torch.nn.Module, **inputs):
    """As infer() calls it."""
    from transformers import GenerationConfig

    module.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=1)
    return module.generate(**inputs, temperature=0.0, eos_token_id=1, streamer=_Streamer(), max_new_tokens=8192,
                           no_repeat_ngram_size=20, use_cache=True)


class _Given(torch.nn.Module):
    """Stands for the decoder: returns given hidden states."""

    def __init__(self, hidden: torch.Tensor) -> None:
        super().__init__()
        self._hidden = hidden

    def forward(self, **_):
        from transformers.modeling_outputs import BaseModelOutputWithPast

        return BaseModelOutputWithPast(last_hidden_state=self._hidden)
