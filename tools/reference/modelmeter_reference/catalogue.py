"""The cases by name: those of the published references, and variants of them in `MORE`."""

from __future__ import annotations

from .case import Case

_14B = {"dim": 5120, "ffn_dim": 13824, "freq_dim": 256, "num_heads": 40, "num_layers": 40}
_1_3B = {"dim": 1536, "ffn_dim": 8960, "freq_dim": 256, "num_heads": 12, "num_layers": 30}
_5B = {"dim": 3072, "ffn_dim": 14336, "freq_dim": 256, "num_heads": 24, "num_layers": 30, "in_dim": 48, "out_dim": 48}
_SMALL = {"dim": 256, "ffn_dim": 512, "freq_dim": 256, "num_heads": 4, "num_layers": 3}

_D_1_3B = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
_D_5B = {"num_attention_heads": 24, "ffn_dim": 14336, "num_layers": 30, "in_channels": 48, "out_channels": 48}
_D_SMALL = {"num_attention_heads": 4, "attention_head_dim": 64, "ffn_dim": 512, "num_layers": 3}
_D_IMAGE = {"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120}
_D_FIRST_LAST = {**_D_IMAGE, "rope_max_seq_len": 1024, "pos_embed_seq_len": 514}

_CI_TINY = {"num_frames": 4, "height": 256, "width": 256, "text_len": 64}
_512P = {"num_frames": 16, "height": 512, "width": 512}
_720P = {"num_frames": 16, "height": 720, "width": 1280}
_480_17 = {"num_frames": 17, "height": 480, "width": 832}
_480_81 = {"num_frames": 81, "height": 480, "width": 832}
_720_81 = {"num_frames": 81, "height": 720, "width": 1280}
_704_121 = {"num_frames": 121, "height": 704, "width": 1280, "vae_stride": [4, 16, 16]}
_IMAGE = {"num_frames": 1, "height": 1024, "width": 1024}
_TINY = {"num_frames": 5, "height": 64, "width": 96}

_256_9 = {"num_frames": 9, "height": 256, "width": 256}

_VACE_14B = {"vace_layers": [0, 5, 10, 15, 20, 25, 30, 35], "vace_in_dim": 96}
_VACE_1_3B = {"vace_layers": list(range(0, 30, 2)), "vace_in_dim": 96}


def _published() -> list[Case]:
    cases = [Case("official-t2v-1.3b-480x832x17", "wan_official", "t2v-1.3b", {"model_type": "t2v", **_1_3B}, _480_17)]
    for size, work in (("ci-tiny", _CI_TINY), ("512p", _512P), ("720p", _720P)):
        cases.append(Case(f"official-t2v-14b-wan2-1-{size}", "wan_official", "t2v-14b",
                          {"model_type": "t2v", **_14B}, work))
        cases.append(Case(f"diffusers-t2v-14b-wan2-1-{size}-flash", "wan_diffusers", "t2v-14b", {}, work))
    cases.append(Case("diffusers-t2v-14b-wan2-1-ci-tiny-math", "wan_diffusers", "t2v-14b", {}, _CI_TINY, "math"))
    cases += [Case(f"official-umt5-xxl-{length}", "umt5_official", "umt5-xxl", {}, {"text_len": length})
              for length in (512, 64)]
    cases += [
        Case("transformers-umt5-xxl-512-flash", "umt5_transformers", "umt5-xxl", {}, {"text_len": 512}),
        Case("official-clip-vit-h-14", "clip_official", "clip-vit-h-14", {}, {}),
        Case("official-wan-vae-2.1-decode-256x256x9-flash", "vae_official", "wan-vae-2.1", {}, _256_9),
        Case("official-wan-vae-2.1-decode-480x832x17-flash", "vae_official", "wan-vae-2.1", {}, _480_17),
        Case("official-wan-vae-2.1-encode-256x256x9-flash", "vae_official", "wan-vae-2.1", {},
             {**_256_9, "step": "encode"}),
        Case("diffusers-wan-vae-2.1-decode-256x256x9-flash", "vae_diffusers", "wan-vae-2.1", {}, _256_9),
        Case("diffusers-wan-vae-2.1-decode-256x256x9-math", "vae_diffusers", "wan-vae-2.1", {}, _256_9, "math"),
    ]
    return cases


def _deepseek(stage: str, name: str, precision: str, work: dict, attention: str = "flash") -> Case:
    between = "" if attention == "none" or stage in ("sam", "clip", "vision") else f"-{attention}"
    return Case(f"deepseek_ocr-{stage}{name}{between}-{precision}", "deepseek_ocr", "deepseek-ocr", {},
                {**work, "case": stage, "precision": precision}, attention)


def _published_deepseek() -> list[Case]:
    prefill, decode = {"new_tokens": 283, "cached_tokens": 0}, {"new_tokens": 1, "cached_tokens": 283}
    cases = [_deepseek("head", "-283", "bf16", {"tokens": 283}, "none")]
    for precision in ("bf16", "autocast"):
        cases += [_deepseek(stage, "-1024", precision, {"image": 1024}) for stage in ("sam", "clip")]
        cases.append(_deepseek("vision", "-base", precision, {}))
    for attention in ("eager", "flash"):
        precision = "bf16" if attention == "eager" else "autocast"
        for name, work in (("-prefill283", prefill), ("-decode283", decode)):
            cases.append(_deepseek("layer-dense", name, "bf16", work, attention))
            cases.append(_deepseek("layer-moe", name, precision, work, attention))
        cases.append(_deepseek("prefill", "-base", precision, {}, attention))
        cases.append(_deepseek("decode", "-base283", precision, decode, attention))
    return cases


def _more_deepseek() -> list[Case]:
    sides = {"tiny": 512, "small": 640, "base": 1024, "large": 1280}
    cases = [_deepseek("head", f"-{tokens}", "bf16", {"tokens": tokens}, "none") for tokens in (1, 913)]
    for precision in ("bf16", "autocast"):
        cases += [_deepseek(stage, f"-{side}", precision, {"image": side})
                  for stage in ("sam", "clip") for side in sides.values()]
        cases += [_deepseek(stage, f"-{side}-batch-6", precision, {"image": side, "batch_size": 6})
                  for stage in ("sam", "clip") for side in (640,)]
        for mode, side in sides.items():
            cases.append(_deepseek("vision", f"-{mode}", precision, {"mode": mode, "base": side}))
        for tiles in ([1, 2], [2, 3], [3, 3]):
            cases.append(_deepseek("vision", f"-gundam-{tiles[0]}x{tiles[1]}", precision,
                                   {"mode": "gundam", "tiles": tiles}))
        for attention in ("eager", "flash"):
            for new, cached in ((283, 0), (1, 283), (1, 284), (1, 1000), (64, 0), (1000, 0), (913, 0), (16, 283)):
                name = f"-prefill{new}" if not cached else f"-decode{cached}" if new == 1 else f"-append{new}-{cached}"
                for stage in ("layer-dense", "layer-moe"):
                    cases.append(_deepseek(stage, name, precision, {"new_tokens": new, "cached_tokens": cached}, attention))
            cases.append(_deepseek("prefill", "-gundam-2x3", precision, {"mode": "gundam", "tiles": [2, 3]}, attention))
            for mode, side in sides.items():
                cases.append(_deepseek("prefill", f"-{mode}", precision, {"mode": mode, "base": side}, attention))
            cases.append(_deepseek("infer", "-tiny", precision, {"mode": "tiny", "base": 512, "max_new_tokens": 2}, attention))
            for cached in (283, 1000):
                cases.append(_deepseek("decode", f"-base{cached}", precision,
                                       {"new_tokens": 1, "cached_tokens": cached}, attention))
    return [case for case in cases if case.name not in PUBLISHED]


def _more_official() -> list[Case]:
    def case(name, variant, config, work, kind="t2v"):
        return Case(f"official-{name}", "wan_official", variant, {"model_type": kind, **config}, work)

    def small(name, config=None, work=None, kind="t2v"):
        return case(f"small-{name}", "small", {**_SMALL, **(config or {})}, {**_TINY, **(work or {})}, kind)

    second = {"generation": "2.2"}
    return [
        case("i2v-14b-480x832x17", "i2v-14b", {**_14B, "in_dim": 36}, _480_17, "i2v"),
        case("i2v-14b-480x832x81", "i2v-14b", {**_14B, "in_dim": 36}, _480_81, "i2v"),
        case("i2v-14b-720x1280x81", "i2v-14b", {**_14B, "in_dim": 36}, _720_81, "i2v"),
        case("i2v-14b-480x832x17-clip-f32", "i2v-14b", {**_14B, "in_dim": 36}, {**_480_17, "image_dtype": "f32"}, "i2v"),
        case("i2v-14b-480x832x17-clip-bf16", "i2v-14b", {**_14B, "in_dim": 36}, {**_480_17, "image_dtype": "bf16"}, "i2v"),
        case("flf2v-14b-480x832x17", "flf2v-14b", {**_14B, "in_dim": 36}, _480_17, "flf2v"),
        case("flf2v-14b-720x1280x81", "flf2v-14b", {**_14B, "in_dim": 36}, _720_81, "flf2v"),
        case("t2v-14b-480x832x81", "t2v-14b", _14B, _480_81),
        case("t2v-14b-720x1280x81", "t2v-14b", _14B, _720_81),
        case("t2v-14b-ci-tiny-padded-264", "t2v-14b", _14B, {**_CI_TINY, "seq_len": 264}),
        case("t2v-14b-480x848x17-padded-7952", "t2v-14b", _14B, {**_480_17, "width": 848, "seq_len": 7952}),
        case("t2v-14b-480x832x17-padded-8192", "t2v-14b", _14B, {**_480_17, "seq_len": 8192}),
        case("t2v-14b-480x832x17-prompt-512", "t2v-14b", _14B, {**_480_17, "prompt_tokens": 512}),
        case("t2v-14b-480x832x17-prompt-1", "t2v-14b", _14B, {**_480_17, "prompt_tokens": 1}),
        case("t2v-14b-480x832x17-batch-2", "t2v-14b", _14B, {**_480_17, "batch_size": 2}),
        case("t2v-14b-480x832x17-batch-2-padded-7808", "t2v-14b", _14B, {**_480_17, "batch_size": 2, "seq_len": 7808}),
        case("t2v-14b-480x832x17-1-layer", "t2v-14b", {**_14B, "num_layers": 1}, _480_17),
        case("t2v-14b-480x832x17-2-layers", "t2v-14b", {**_14B, "num_layers": 2}, _480_17),
        case("t2v-1.3b-ci-tiny", "t2v-1.3b", _1_3B, _CI_TINY),
        case("t2v-1.3b-480x832x81", "t2v-1.3b", _1_3B, _480_81),
        case("t2v-1.3b-720x1280x81", "t2v-1.3b", _1_3B, _720_81),
        case("t2i-14b-1024x1024", "t2i-14b", _14B, _IMAGE),
        case("t2i-1.3b-1024x1024", "t2i-1.3b", _1_3B, _IMAGE),
        small("t2v"),
        small("t2v-batch-2", work={"batch_size": 2}),
        small("t2v-batch-3-padded-64", work={"batch_size": 3, "seq_len": 64}),
        small("t2v-padded-56", work={"seq_len": 56}),
        small("t2v-no-qk-norm", {"qk_norm": False}),
        small("t2v-no-cross-attn-norm", {"cross_attn_norm": False}),
        small("t2v-no-norms", {"qk_norm": False, "cross_attn_norm": False}),
        small("t2v-1-layer", {"num_layers": 1}),
        small("t2v-2-layers", {"num_layers": 2}),
        small("t2v-head-8", {"dim": 96, "num_heads": 12}),
        small("t2v-head-40", {"dim": 160, "num_heads": 4}),
        small("t2v-head-12", {"dim": 96, "num_heads": 8}),
        small("t2v-freq-128", {"freq_dim": 128}),
        small("t2v-patch-1-1-1", {"patch_size": [1, 1, 1]}),
        small("t2v-patch-2-2-2", {"patch_size": [2, 2, 2]}, {"num_frames": 13}),
        small("t2v-in-8-out-4", {"in_dim": 4, "out_dim": 4}),
        small("t2v-text-512-prompt-512", work={"prompt_tokens": 512}),
        small("i2v", {"in_dim": 36}, kind="i2v"),
        small("i2v-batch-2", {"in_dim": 36}, {"batch_size": 2}, kind="i2v"),
        small("i2v-padded-64", {"in_dim": 36}, {"seq_len": 64}, kind="i2v"),
        small("i2v-no-norms", {"in_dim": 36, "qk_norm": False, "cross_attn_norm": False}, kind="i2v"),
        small("flf2v", {"in_dim": 36}, kind="flf2v"),
        small("flf2v-batch-2", {"in_dim": 36}, {"batch_size": 2}, kind="flf2v"),
        case("vace-14b-480x832x17", "vace-14b", {**_VACE_14B, **_14B}, _480_17, "vace"),
        case("vace-14b-720x1280x81", "vace-14b", {**_VACE_14B, **_14B}, _720_81, "vace"),
        case("vace-1.3b-480x832x17", "vace-1.3b", {**_VACE_1_3B, **_1_3B}, _480_17, "vace"),
        case("vace-1.3b-480x832x81", "vace-1.3b", {**_VACE_1_3B, **_1_3B}, _480_81, "vace"),
        case("small-vace", "small-vace", {"vace_layers": [0, 2], "vace_in_dim": 96, **_SMALL}, _TINY, "vace"),
        case("small-vace-padded-64", "small-vace", {"vace_layers": [0, 2], "vace_in_dim": 96, **_SMALL},
             {**_TINY, "seq_len": 64}, "vace"),
        case("wan2.2-t2v-a14b-480x832x17", "t2v-a14b", _14B, {**_480_17, **second}),
        case("wan2.2-t2v-a14b-720x1280x81", "t2v-a14b", _14B, {**_720_81, **second}),
        case("wan2.2-i2v-a14b-480x832x17", "i2v-a14b", {**_14B, "in_dim": 36}, {**_480_17, **second}, "i2v"),
        case("wan2.2-i2v-a14b-480x832x81", "i2v-a14b", {**_14B, "in_dim": 36}, {**_480_81, **second}, "i2v"),
        case("wan2.2-ti2v-5b-704x1280x121", "ti2v-5b", _5B, {**_704_121, **second, "token_timesteps": True}, "ti2v"),
        case("wan2.2-ti2v-5b-704x1280x17", "ti2v-5b", _5B,
             {**_704_121, "num_frames": 17, **second, "token_timesteps": True}, "ti2v"),
        small("wan2.2-t2v", work=second),
        small("wan2.2-ti2v-batch-2", work={**second, "token_timesteps": True, "batch_size": 2}, kind="ti2v"),
        small("wan2.2-i2v", {"in_dim": 36}, second, "i2v"),
        small("wan2.2-ti2v", work={**second, "token_timesteps": True}, kind="ti2v"),
        small("wan2.2-ti2v-padded-64", work={**second, "token_timesteps": True, "seq_len": 64}, kind="ti2v"),
    ]


def _more_diffusers() -> list[Case]:
    def case(name, variant, config, work, kinds=("flash",), kind="wan_diffusers"):
        return [Case(f"diffusers-{name}-{attention}", kind, variant, config, work, attention) for attention in kinds]

    def small(name, config=None, work=None, kinds=("flash", "math"), kind="wan_diffusers"):
        return case(f"small-{name}", "small", {**_D_SMALL, **(config or {})}, {**_TINY, **(work or {})}, kinds, kind)

    both = ("flash", "math")
    small_image = {"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 256}
    tokens = {"token_timesteps": True}
    return [
        *case("t2v-14b-480x832x81", "t2v-14b", {}, _480_81),
        *case("t2v-14b-720x1280x81", "t2v-14b", {}, _720_81),
        *case("t2v-14b-480x832x17", "t2v-14b", {}, _480_17, both),
        *case("t2v-14b-480x832x17-batch-2", "t2v-14b", {}, {**_480_17, "batch_size": 2}),
        *case("t2v-14b-480x832x17-1-layer", "t2v-14b", {"num_layers": 1}, _480_17),
        *case("t2i-14b-1024x1024", "t2i-14b", {}, _IMAGE),
        *case("t2v-1.3b-480x832x17", "t2v-1.3b", _D_1_3B, _480_17, both),
        *case("t2v-1.3b-480x832x81", "t2v-1.3b", _D_1_3B, _480_81, both),
        *case("t2v-1.3b-ci-tiny", "t2v-1.3b", _D_1_3B, _CI_TINY, both),
        *case("i2v-14b-480x832x17", "i2v-14b", _D_IMAGE, _480_17, both),
        *case("i2v-14b-480x832x81", "i2v-14b", _D_IMAGE, _480_81),
        *case("flf2v-14b-720x1280x17", "flf2v-14b", _D_FIRST_LAST, {**_720_81, "num_frames": 17}),
        *case("flf2v-14b-720x1280x81", "flf2v-14b", _D_FIRST_LAST, _720_81),
        *case("wan2.2-t2v-a14b-720x1280x81", "t2v-a14b", {}, _720_81),
        *case("wan2.2-i2v-a14b-480x832x81", "i2v-a14b", {"in_channels": 36}, _480_81),
        *case("wan2.2-ti2v-5b-704x1280x17", "ti2v-5b", _D_5B, {**_704_121, "num_frames": 17, **tokens}, both),
        *case("wan2.2-ti2v-5b-704x1280x121", "ti2v-5b", _D_5B, {**_704_121, **tokens}),
        *case("wan2.2-ti2v-5b-704x1280x17-one-timestep", "ti2v-5b", _D_5B, {**_704_121, "num_frames": 17}),
        *small("t2v"),
        *small("t2v-batch-2", work={"batch_size": 2}),
        *small("t2v-no-cross-attn-norm", {"cross_attn_norm": False}),
        *small("t2v-1-layer", {"num_layers": 1}),
        *small("t2v-head-40", {"attention_head_dim": 40}),
        *small("t2v-head-20", {"attention_head_dim": 20}),
        *small("t2v-text-512", work={"text_len": 512}),
        *small("t2v-patch-2-2-2", {"patch_size": (2, 2, 2)}, {"num_frames": 13}),
        *small("t2v-timestep-f32", work={"timestep_dtype": "f32"}),
        *small("i2v", small_image),
        *small("i2v-batch-2", small_image, {"batch_size": 2}),
        *small("flf2v", {**small_image, "pos_embed_seq_len": 514}),
        *small("ti2v", work=tokens),
        *small("ti2v-batch-2", work={**tokens, "batch_size": 2}),
        *small("vace", {"vace_layers": [0, 2], "vace_in_channels": 96}, kind="wan_vace_diffusers"),
        *case("vace-14b-480x832x17", "vace-14b",
              {"vace_layers": [0, 5, 10, 15, 20, 25, 30, 35], "vace_in_channels": 96}, _480_17,
              kind="wan_vace_diffusers"),
        *case("vace-1.3b-480x832x17", "vace-1.3b",
              {**_D_1_3B, "vace_layers": list(range(0, 30, 2)), "vace_in_channels": 96}, _480_17,
              kind="wan_vace_diffusers"),
    ]


def _more_encoders() -> list[Case]:
    cases = [Case(f"official-umt5-xxl-{length}", "umt5_official", "umt5-xxl", {}, {"text_len": length})
             for length in (1, 128, 226, 1024)]
    cases += [Case(f"transformers-umt5-xxl-{length}-{attention}", "umt5_transformers", "umt5-xxl", {},
                   {"text_len": length}, attention)
              for length in (64, 226, 512) for attention in ("flash", "math") if (length, attention) != (512, "flash")]
    small = {"vocab": 1000, "dim": 128, "dim_attn": 128, "dim_ffn": 256, "num_heads": 4, "num_layers": 2}
    small_t = {"vocab_size": 1000, "d_model": 128, "d_kv": 32, "d_ff": 256, "num_layers": 2, "num_heads": 4}
    cases += [
        Case("official-umt5-xxl-512-batch-2", "umt5_official", "umt5-xxl", {}, {"text_len": 512, "batch_size": 2}),
        Case("official-umt5-small", "umt5_official", "small", small, {"text_len": 40}),
        Case("official-umt5-small-batch-2", "umt5_official", "small", small, {"text_len": 40, "batch_size": 2}),
        Case("official-umt5-small-shared-pos", "umt5_official", "small", {**small, "shared_pos": True},
             {"text_len": 40}),
        Case("transformers-umt5-xxl-512-batch-2-flash", "umt5_transformers", "umt5-xxl", {},
             {"text_len": 512, "batch_size": 2}),
        *(Case(f"transformers-umt5-small-{attention}", "umt5_transformers", "small", small_t, {"text_len": 40},
               attention) for attention in ("flash", "math")),
        Case("official-clip-vit-h-14-batch-2", "clip_official", "clip-vit-h-14", {}, {"batch_size": 2}),
        *(Case(f"transformers-clip-vit-h-14-{dtype}-{attention}", "clip_transformers", "clip-vit-h-14", {},
               {"dtype": dtype}, attention) for dtype in ("f32", "bf16", "f16") for attention in ("flash", "math")),
        Case("official-clip-small", "clip_official", "small",
             {"image_size": 56, "dim": 128, "num_heads": 4, "num_layers": 3, "out_dim": 64}, {}),
        Case("official-clip-small-quick-gelu", "clip_official", "small",
             {"image_size": 56, "dim": 128, "num_heads": 4, "num_layers": 3, "out_dim": 64, "pre_norm": False,
              "activation": "quick_gelu"}, {}),
    ]
    return cases


def _more_vaes() -> list[Case]:
    vae = "wan-vae-2.1"
    vae22 = "wan-vae-2.2"
    frames = (1, 5, 9, 13, 17, 33)
    second = {"generation": "2.2"}
    d22 = {"base_dim": 160, "z_dim": 48, "is_residual": True, "in_channels": 12, "out_channels": 12,
           "decoder_base_dim": 256, "scale_factor_temporal": 4, "scale_factor_spatial": 16, "patch_size": 2}

    def size(width: int, height: int, count: int, **more) -> dict:
        return {"num_frames": count, "height": height, "width": width, **more}

    cases = []
    for step in ("decode", "encode"):
        def add(name, kind, variant, config, work, attention="flash", step=step):
            case = Case(f"{name.format(step)}-{attention}", kind, variant, config, {**work, "step": step}, attention)
            if case.name not in PUBLISHED:
                cases.append(case)

        for count in frames:
            add(f"official-wan-vae-2.1-{{}}-64x96x{count}", "vae_official", vae, {}, size(96, 64, count))
            add(f"diffusers-wan-vae-2.1-{{}}-64x96x{count}", "vae_diffusers", vae, {}, size(96, 64, count))
        for count in (1, 5, 9, 17):
            add(f"official-wan-vae-2.2-{{}}-64x96x{count}", "vae_official", vae22, {}, size(96, 64, count, **second))
            add(f"diffusers-wan-vae-2.2-{{}}-64x96x{count}", "vae_diffusers", vae22, d22, size(96, 64, count))
        for count in (1, 5, 13, 17, 81):
            add(f"official-wan-vae-2.1-{{}}-480x832x{count}", "vae_official", vae, {}, size(832, 480, count))
        add("official-wan-vae-2.1-{}-720x1280x81", "vae_official", vae, {}, size(1280, 720, 81))
        add("official-wan-vae-2.1-{}-1024x1024x1", "vae_official", vae, {}, size(1024, 1024, 1))
        add("official-wan-vae-2.1-{}-64x96x9-batch-2", "vae_official", vae, {}, size(96, 64, 9, batch_size=2))
        add("official-wan-vae-2.1-{}-64x96x9-dim-32", "vae_official", vae, {"dim": 32}, size(96, 64, 9))
        add("official-wan-vae-2.1-{}-64x96x9-mult-1-2", "vae_official", vae,
            {"dim": 32, "dim_mult": [1, 2, 4], "temperal_downsample": [True, True]}, size(96, 64, 9))
        add("official-wan-vae-2.1-{}-64x96x9-1-res-block", "vae_official", vae, {"num_res_blocks": 1}, size(96, 64, 9))
        add("diffusers-wan-vae-2.1-{}-480x832x17", "vae_diffusers", vae, {}, size(832, 480, 17))
        add("diffusers-wan-vae-2.1-{}-480x832x81", "vae_diffusers", vae, {}, size(832, 480, 81))
        add("diffusers-wan-vae-2.1-{}-256x256x9", "vae_diffusers", vae, {}, size(256, 256, 9))
        add("diffusers-wan-vae-2.1-{}-256x256x9", "vae_diffusers", vae, {}, size(256, 256, 9), "math")
        add("diffusers-wan-vae-2.1-{}-64x96x9-batch-2", "vae_diffusers", vae, {}, size(96, 64, 9, batch_size=2))
        add("diffusers-wan-vae-2.1-{}-64x96x9-batch-2-slicing", "vae_diffusers", vae, {},
            size(96, 64, 9, batch_size=2, slicing=True))
        add("diffusers-wan-vae-2.1-{}-64x96x9-bf16", "vae_diffusers", vae, {}, size(96, 64, 9, precision="bf16"))
        add("diffusers-wan-vae-2.1-{}-320x384x5-tiling", "vae_diffusers", vae, {}, size(384, 320, 5, tiling=True))
        add("diffusers-wan-vae-2.1-{}-480x832x17-tiling", "vae_diffusers", vae, {}, size(832, 480, 17, tiling=True))
        add("official-wan-vae-2.2-{}-704x1280x17", "vae_official", vae22, {}, size(1280, 704, 17, **second))
        add("official-wan-vae-2.2-{}-704x1280x121", "vae_official", vae22, {}, size(1280, 704, 121, **second))
        add("diffusers-wan-vae-2.2-{}-704x1280x17", "vae_diffusers", vae22, d22, size(1280, 704, 17))
        add("diffusers-wan-vae-2.2-{}-320x384x5-tiling", "vae_diffusers", vae22, d22, size(384, 320, 5, tiling=True))
    return cases


def _more_sampling() -> list[Case]:
    small = {"num_frames": 5, "height": 64, "width": 96, "text_len": 64, "num_inference_steps": 5}

    def case(name, config, work):
        return Case(f"official-sampling-{name}", "generate_official", config["task"], config,
                    {**small, **work})

    cases = []
    for scheduler in ("unipc", "dpm++"):
        for task in ("t2v", "i2v", "flf2v", "vace"):
            for offload in (False, True):
                cases.append(case(f"{task}-{scheduler}{'-offload' * offload}",
                                  {"task": task, "scheduler": scheduler, "offload_model": offload},
                                  {"num_frames": 81} if task == "flf2v" else {}))  # its code knows no other length
        for task in ("t2v", "i2v", "ti2v"):
            cases.append(case(f"wan2.2-{task}-{scheduler}", {"task": task, "scheduler": scheduler}, {"generation": "2.2"}))
    for task in ("t2v", "i2v", "flf2v", "vace", "ti2v"):
        for guidance in (True, False):
            cases.append(Case(f"diffusers-sampling-{task}{'' if guidance else '-no-guidance'}", "pipeline_diffusers", task,
                              {"task": task, "guidance": guidance}, small))
    for task in ("t2v", "i2v"):
        cases.append(Case(f"diffusers-sampling-wan2.2-{task}", "pipeline_diffusers", task,
                          {"task": task, "experts": 2}, small))
    cases.append(case("t2v-unipc-t5-cpu", {"task": "t2v", "scheduler": "unipc", "t5_cpu": True}, {}))
    return cases


def _deepseek_2() -> list[Case]:
    small = {"text.vocab_size": 1000, "text.hidden_size": 128, "text.intermediate_size": 256,
             "text.moe_intermediate_size": 64, "text.num_hidden_layers": 3, "text.num_attention_heads": 4,
             "text.num_key_value_heads": 4, "text.n_routed_experts": 8, "text.num_experts_per_tok": 3,
             "sam.hidden_size": 96, "sam.num_hidden_layers": 4, "sam.num_attention_heads": 3,
             "sam.global_attn_indexes": [2], "sam.output_channels": 32, "sam.downsample_channels": [48, 64],
             "encoder.hidden_size": 64, "encoder.intermediate_size": 96, "encoder.num_hidden_layers": 3,
             "encoder.num_attention_heads": 4, "encoder.num_key_value_heads": 2}
    cases = []
    for variant, config in (("deepseek-ocr-2", {}), ("small", small)):
        prefix = f"deepseek_ocr_2-{'small-' if config else ''}"
        for name, work in (("", {}), ("-tiles-6", {"tiles": 6}), ("-tiles-2", {"tiles": 2}),
                           ("-768", {"image": 768}), ("-batch-2", {"batch_size": 2, "tiles": 1})):
            for stage in ("vision", "prefill", "decode"):
                for attention in ("flash", "eager"):
                    cases.append(Case(f"{prefix}{stage}{name}-{attention}", "deepseek_ocr_2", variant, config,
                                      {"case": stage, **work}, attention))
    return cases


PUBLISHED = {case.name: case for case in (*_published(), *_published_deepseek())}
MORE = {case.name: case for case in (*_more_official(), *_more_diffusers(), *_more_encoders(), *_more_vaes(), *_more_sampling(),
                                   *_more_deepseek(), *_deepseek_2())}
CASES = {**PUBLISHED, **MORE}
