"""Models that people run, unmodified, built from their published sizes on `meta`: no weights, no memory.

Each entry makes the module and its inputs. `dtype` is that of the weights, as the model is usually run.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import torch

BF16, F16, F32 = torch.bfloat16, torch.float16, torch.float32


@dataclasses.dataclass(frozen=True)
class Entry:
    package: str  # that has to be importable
    make: Callable[[], torch.nn.Module]
    inputs: Callable[[], dict[str, Any]]
    dtype: torch.dtype = BF16
    generates: bool = False  # a language model: prefill, then decode behind its cache
    trains: Callable[[Any], torch.Tensor] | None = None  # the loss of its output, where a step of training is recorded too
    routing: str | None = None


def _ids(*shape: int) -> torch.Tensor:
    return torch.ones(*shape, dtype=torch.long)


def _text(tokens: int = 512, batch: int = 1) -> Callable[[], dict]:
    return lambda: {"input_ids": _ids(batch, tokens)}


def _image(size: int, dtype: torch.dtype = BF16, batch: int = 1, name: str = "pixel_values") -> Callable[[], dict]:
    return lambda: {name: torch.empty(batch, 3, size, size, dtype=dtype, device="meta")}


def _transformers(kind: str, config: str, **sizes) -> Callable[[], torch.nn.Module]:
    def make() -> torch.nn.Module:
        import transformers

        return getattr(transformers, kind)(getattr(transformers, config)(**sizes))

    return make


def _diffusers(kind: str, **sizes) -> Callable[[], torch.nn.Module]:
    def make() -> torch.nn.Module:
        import diffusers

        return getattr(diffusers, kind)(**sizes)

    return make


def _torchvision(kind: str) -> Callable[[], torch.nn.Module]:
    def make() -> torch.nn.Module:
        import torchvision

        return getattr(torchvision.models, kind)()

    return make


def _timm(kind: str) -> Callable[[], torch.nn.Module]:
    def make() -> torch.nn.Module:
        import timm

        return timm.create_model(kind)

    return make


def _like(**shapes: tuple) -> Callable[[], dict[str, Any]]:
    """Tensors of these shapes, bf16 unless the last element is a dtype."""
    def inputs() -> dict[str, Any]:
        made = {}
        for name, shape in shapes.items():
            dtype = shape[-1] if shape and isinstance(shape[-1], torch.dtype) else BF16
            made[name] = torch.empty([size for size in shape if isinstance(size, int)], dtype=dtype, device="meta")
        return made

    return inputs


def _clip_inputs() -> dict[str, Any]:
    return {"input_ids": _ids(1, 77), **_image(224)()}


def _siglip_inputs() -> dict[str, Any]:
    return {"input_ids": _ids(1, 64), **_image(224)()}


def _t5_inputs() -> dict[str, Any]:
    return {"input_ids": _ids(1, 512), "decoder_input_ids": _ids(1, 64)}


def _whisper_inputs() -> dict[str, Any]:
    return {**_like(input_features=(1, 80, 3000))(), "decoder_input_ids": _ids(1, 64)}


def _sdxl_inputs() -> dict[str, Any]:
    return {**_like(sample=(2, 4, 128, 128, F16), timestep=(F32,), encoder_hidden_states=(2, 77, 2048, F16))(),
            "added_cond_kwargs": _like(text_embeds=(2, 1280, F16), time_ids=(2, 6, F16))()}


def _flux_inputs() -> dict[str, Any]:
    return _like(hidden_states=(1, 4096, 64), encoder_hidden_states=(1, 512, 4096), pooled_projections=(1, 768),
                 timestep=(1,), guidance=(1, F32), img_ids=(4096, 3), txt_ids=(512, 3))()


def _hunyuan_inputs() -> dict[str, Any]:
    return {**_like(hidden_states=(1, 16, 9, 68, 120), encoder_hidden_states=(1, 256, 4096),
                    pooled_projections=(1, 768), guidance=(1,))(),
            "timestep": _ids(1), "encoder_attention_mask": _ids(1, 256)}


def _ltx_inputs() -> dict[str, Any]:
    return {**_like(hidden_states=(1, 3840, 128), encoder_hidden_states=(1, 128, 4096))(), "timestep": _ids(1),
            "encoder_attention_mask": _ids(1, 128), "num_frames": 10, "height": 16, "width": 24}


def _logits(output: Any) -> torch.Tensor:
    """Cross entropy of logits with made-up labels."""
    logits = output if isinstance(output, torch.Tensor) else output.logits
    logits = logits.float().flatten(0, -2)
    return torch.nn.functional.cross_entropy(logits, torch.zeros(logits.shape[0], dtype=torch.long, device=logits.device))


def _square(output: Any) -> torch.Tensor:
    return output[0].float().square().mean()


ZOO: dict[str, Entry] = {
    "llama-3-8b": Entry("transformers", _transformers(
        "LlamaForCausalLM", "LlamaConfig", hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, vocab_size=128256, max_position_embeddings=8192), _text(),
        generates=True, trains=_logits),
    "qwen3-8b": Entry("transformers", _transformers(
        "Qwen3ForCausalLM", "Qwen3Config", hidden_size=4096, intermediate_size=12288, num_hidden_layers=36,
        num_attention_heads=32, num_key_value_heads=8, head_dim=128, vocab_size=151936), _text(), generates=True),
    "qwen3-30b-a3b": Entry("transformers", _transformers(
        "Qwen3MoeForCausalLM", "Qwen3MoeConfig", hidden_size=2048, intermediate_size=6144, num_hidden_layers=48,
        num_attention_heads=32, num_key_value_heads=4, head_dim=128, vocab_size=151936, num_experts=128,
        num_experts_per_tok=8, moe_intermediate_size=768, norm_topk_prob=True), _text(), generates=True, routing="even"),
    "mistral-7b": Entry("transformers", _transformers(
        "MistralForCausalLM", "MistralConfig", hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, vocab_size=32768, sliding_window=None), _text(), generates=True),
    "gemma-3-4b": Entry("transformers", _transformers(
        "Gemma3ForCausalLM", "Gemma3TextConfig", hidden_size=2560, intermediate_size=10240, num_hidden_layers=34,
        num_attention_heads=8, num_key_value_heads=4, head_dim=256, vocab_size=262208, sliding_window=1024), _text(),
        generates=True),
    "deepseek-v3-small": Entry("transformers", _transformers(
        "DeepseekV3ForCausalLM", "DeepseekV3Config", hidden_size=1024, intermediate_size=2048, moe_intermediate_size=512,
        num_hidden_layers=6, first_k_dense_replace=1, num_attention_heads=16, num_key_value_heads=16, n_routed_experts=32,
        num_experts_per_tok=4, n_group=4, topk_group=2, q_lora_rank=512, kv_lora_rank=256, vocab_size=32000), _text(),
        generates=True, routing="even"),
    "phi-3-mini": Entry("transformers", _transformers(
        "Phi3ForCausalLM", "Phi3Config", hidden_size=3072, intermediate_size=8192, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=32, vocab_size=32064, pad_token_id=32000), _text(), generates=True),
    "bert-base": Entry("transformers", _transformers("BertForMaskedLM", "BertConfig"), _text(), F32, trains=_logits),
    "t5-base": Entry("transformers", _transformers(
        "T5ForConditionalGeneration", "T5Config", d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12),
        _t5_inputs),
    "whisper-small": Entry("transformers", _transformers(
        "WhisperForConditionalGeneration", "WhisperConfig", d_model=768, encoder_layers=12, decoder_layers=12,
        encoder_attention_heads=12, decoder_attention_heads=12, encoder_ffn_dim=3072, decoder_ffn_dim=3072), _whisper_inputs),
    "vit-base": Entry("transformers", _transformers("ViTForImageClassification", "ViTConfig"), _image(224),
                      trains=lambda output: output.logits.float().square().mean()),
    "clip-base": Entry("transformers", _transformers("CLIPModel", "CLIPConfig"), _clip_inputs),
    "siglip-base": Entry("transformers", _transformers("SiglipModel", "SiglipConfig"), _siglip_inputs),
    "mamba-2-780m": Entry("transformers", _transformers(
        "Mamba2ForCausalLM", "Mamba2Config", hidden_size=1536, num_hidden_layers=48, num_heads=48, head_dim=64,
        state_size=128, n_groups=1, vocab_size=50288), _text(256), generates=False),
    "flux-dev": Entry("diffusers", _diffusers("FluxTransformer2DModel", guidance_embeds=True), _flux_inputs),
    "sd3-medium": Entry("diffusers", _diffusers(
        "SD3Transformer2DModel", sample_size=128, num_layers=24, num_attention_heads=24, attention_head_dim=64,
        caption_projection_dim=1536, pos_embed_max_size=192), _like(
            hidden_states=(1, 16, 128, 128), encoder_hidden_states=(1, 333, 4096), pooled_projections=(1, 2048), timestep=(1,)),
        trains=_square),
    "sdxl-unet": Entry("diffusers", _diffusers(
        "UNet2DConditionModel", sample_size=128, block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20), cross_attention_dim=2048, addition_embed_type="text_time", addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816, use_linear_projection=True), _sdxl_inputs, F16),
    "hunyuan-video": Entry("diffusers", _diffusers("HunyuanVideoTransformer3DModel", num_layers=4, num_single_layers=8),
                           _hunyuan_inputs),
    "cogvideox-2b": Entry("diffusers", _diffusers("CogVideoXTransformer3DModel"), lambda: {
        **_like(hidden_states=(2, 13, 16, 60, 90), encoder_hidden_states=(2, 226, 4096))(), "timestep": _ids(2)}),
    "ltx-video": Entry("diffusers", _diffusers("LTXVideoTransformer3DModel"), _ltx_inputs),
    "wan-2.1-1.3b": Entry("diffusers", _diffusers(
        "WanTransformer3DModel", num_attention_heads=12, attention_head_dim=128, ffn_dim=8960, num_layers=30), lambda: {
            **_like(hidden_states=(1, 16, 5, 60, 104), encoder_hidden_states=(1, 512, 4096))(), "timestep": _ids(1)}),
    "sdxl-vae-decoder": Entry("diffusers", _diffusers(
        "AutoencoderKL", block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, sample_size=1024), _image(512, F32, name="sample"), F32),
    "wan-vae": Entry("diffusers", _diffusers("AutoencoderKLWan"),
                     _like(sample=(1, 3, 5, 128, 128, F32)), F32),
    "cogvideox-vae": Entry("diffusers", _diffusers(
        "AutoencoderKLCogVideoX", block_out_channels=(128, 256, 256, 512), down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4), _like(sample=(1, 3, 9, 64, 64))),
    "flux-vae": Entry("diffusers", _diffusers(
        "AutoencoderKL", block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=16, use_quant_conv=False,
        use_post_quant_conv=False), _image(256, name="sample")),
    "hunyuan-video-vae": Entry("diffusers", _diffusers("AutoencoderKLHunyuanVideo"), _like(sample=(1, 3, 5, 64, 64))),
    "ltx-video-vae": Entry("diffusers", _diffusers("AutoencoderKLLTXVideo"), _like(sample=(1, 3, 9, 128, 128))),
    "resnet-50": Entry("torchvision", _torchvision("resnet50"), _image(224, F32, 8, "x"), F32,
                       trains=lambda output: output.square().mean()),
    "swin-t": Entry("torchvision", _torchvision("swin_t"), _image(224, F32, 8, "x"), F32),
    "convnext-tiny": Entry("torchvision", _torchvision("convnext_tiny"), _image(224, F32, 8, "x"), F32),
    "timm-vit-small": Entry("timm", _timm("vit_small_patch16_224"), _image(224, F32, 8, "x"), F32),
    "timm-efficientnet-b0": Entry("timm", _timm("efficientnet_b0"), _image(224, F32, 8, "x"), F32),
}
