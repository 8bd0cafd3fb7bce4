"""DeepSeek-OCR-2: transformers' DeepseekOcr2ForConditionalGeneration, bf16.

As generate() runs it: first the image features (`vision`), then the prompt's forward with them (`prefill`), then a
forward for each token (`decode`). It drops a mask of ones, wants the logits of the last token only, and has the prompt's
experts run by grouped_mm and those of a decode step by batched_mm.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

from ..case import Case, Run, head
from modelmeter.recording.device import building, cudnn_layouts, freeze, set_dtype, tensor
from modelmeter.recording.host import Host

_TEXT = {"vocab_size": 129280, "hidden_size": 1280, "intermediate_size": 6848, "moe_intermediate_size": 896,
         "num_hidden_layers": 12, "num_attention_heads": 10, "num_key_value_heads": 10, "n_routed_experts": 64,
         "n_shared_experts": 2, "num_experts_per_tok": 6, "max_position_embeddings": 8192, "topk_method": "greedy"}
_SAM = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "image_size": 1024, "patch_size": 16,
        "window_size": 14, "global_attn_indexes": [2, 5, 8, 11], "output_channels": 256,
        "downsample_channels": [512, 896]}
_ENCODER = {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
            "num_key_value_heads": 2}
_DENSE_LAYERS = 1  # before those with experts
_PIXELS = 64  # that one image token stands for, along each side
_BF16 = torch.bfloat16


class _Answers(Host):
    """There are as many image tokens as image features."""

    def scalar(self, kernel: str):
        return {"aten.all": True}[kernel]


def _sizes(case: Case) -> dict:
    """The published sizes, and what the case changes: `text.KEY`, `sam.KEY`, `encoder.KEY`."""
    sizes = {"text": dict(_TEXT), "sam": dict(_SAM), "encoder": dict(_ENCODER), "dense_layers": _DENSE_LAYERS}
    for key, value in case.config.items():
        part, _, field = key.partition(".")
        if field:
            sizes[part][field] = value
        else:
            sizes[key] = value
    return sizes


def _config(sizes: dict, attention: str):
    from transformers import DeepseekOcr2Config

    text = dict(sizes["text"])
    layers, dense = text["num_hidden_layers"], sizes["dense_layers"]
    text["mlp_layer_types"] = ["dense"] * min(dense, layers) + ["sparse"] * max(layers - dense, 0)
    return DeepseekOcr2Config(text_config=text, vision_config={"sam_config": dict(sizes["sam"]),
                                                               "encoder_config": dict(sizes["encoder"])},
                              attn_implementation="eager" if attention == "eager" else "sdpa")


def build(case: Case, repositories: dict[str, Path]) -> Run:
    import transformers
    from transformers import DeepseekOcr2ForConditionalGeneration, DynamicCache
    from transformers.models.deepseek_ocr2.modeling_deepseek_ocr2 import DeepseekOcr2ModelOutputWithPooling

    work, stage = case.workload, case.workload["case"]
    sizes = _sizes(case)
    config = _config(sizes, case.attention)
    with building():
        whole = set_dtype(freeze(DeepseekOcr2ForConditionalGeneration(config)), _BF16,
                          keep=lambda name: name.endswith("inv_freq"))
    experts = "batched_mm" if stage == "decode" else "grouped_mm"
    whole.set_experts_implementation(experts)
    code = f"transformers {transformers.__version__} DeepseekOcr2"

    text, encoder = config.text_config, config.vision_config.encoder_config
    batch, tiles, tile, image = (work.get(key, value) for key, value in
                                 (("batch_size", 1), ("tiles", 0), ("tile", 768), ("image", 1024)))
    tokens = {side: (side // _PIXELS) ** 2 for side in (image, tile)}  # of one view
    image_tokens = tokens[image] + tiles * tokens[tile] + 1
    described = {"case": stage, "batch_size": batch, "image": image, "tile": tile, "tiles": tiles,
                 "image_tokens": image_tokens}

    context = contextlib.ExitStack()
    context.enter_context(cudnn_layouts())
    if stage == "vision":
        arguments = {"pixel_values": tensor(batch, 3, image, image, dtype=_BF16)}
        if tiles:
            arguments["pixel_values_local"] = tensor(batch * tiles, 3, tile, tile, dtype=_BF16)
            arguments["num_local_patches"] = [tiles] * batch
        whole.model.forward = whole.model.get_image_features  # with the hooks of a call

        def forward():
            return whole.model(**arguments, return_dict=True)

        return Run(whole, forward, list(arguments.values()),
                   head(case, f"{code}Model.get_image_features", "transformers", config.to_dict(), described),
                   context=context)

    prompt = image_tokens + work.get("prompt_tokens", 10)
    cached = work.get("cached_tokens", prompt) if stage == "decode" else 0
    new = 1 if stage == "decode" else prompt
    described |= {"new_tokens": new, "cached_tokens": cached, "experts_implementation": experts}

    # generate() holds the image features for as long as it runs, and the encoder's outputs that they came from.
    def encoded(views: int, side: int) -> torch.Tensor:
        return tensor(views, 2 * tokens[side], encoder.hidden_size, dtype=_BF16)[:, tokens[side]:]

    features = DeepseekOcr2ModelOutputWithPooling(
        last_hidden_state=encoded(batch, image),
        pooler_output=[tensor(image_tokens, text.hidden_size, dtype=_BF16) for _ in range(batch)],
        local_last_hidden_state=encoded(batch * tiles, tile) if tiles else None)
    arguments = {name: tensor(batch, new, dtype=torch.int64) for name in ("input_ids", "position_ids")}
    if stage == "prefill":
        arguments["mm_encoder_outputs"] = {"image": features}
    cache = DynamicCache(config=text)
    if cached:
        for layer in cache.layers:
            layer.keys, layer.values = (
                tensor(batch, text.num_key_value_heads, cached, text.head_dim, dtype=_BF16) for _ in range(2))
            layer.dtype, layer.device, layer.is_initialized = layer.keys.dtype, layer.keys.device, True

    def forward():
        return whole(**arguments, past_key_values=cache, use_cache=True, logits_to_keep=1, return_dict=True)

    inputs = [arguments["input_ids"], arguments["position_ids"], dict(features),
              [layer.__dict__ for layer in cache.layers]]  # which let go of what update() replaces
    return Run(whole, forward, inputs,
               head(case, f"{code}ForConditionalGeneration.forward as generate() calls it", "transformers",
                    config.to_dict(), described), host=_Answers())
