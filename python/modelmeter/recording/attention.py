"""The attention kernels put in place of those of the published code.

`flash`: PyTorch's own fused kernel. `math`: matmul, softmax, matmul. (`eager`, `none`: the code's own attention, or none;
what calls scaled_dot_product_attention all the same gets the fused kernel.) The modules `flash_attn` and
`torch.nn.functional.scaled_dot_product_attention` are stood in for by functions that call them.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.metadata
import sys
import types
from unittest import mock

import torch

KINDS = ("flash", "math")
_HALF = (torch.float16, torch.bfloat16)
_FLASH_HEAD = 256  # the widest head of the flash kernel
_CUDNN_HEAD = 128
_FLASH_ATTN = "2.8.3"  # the version that the stand-in for the package flash_attn claims
_ALIGNMENT = 8  # the flash kernel takes heads of a multiple of 8; masks are read in units of 8 elements


def _pad_head(tensor: torch.Tensor) -> torch.Tensor:
    missing = -tensor.shape[-1] % _ALIGNMENT
    return torch.nn.functional.pad(tensor, (0, missing)) if missing else tensor


def _aligned_mask(mask: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """The mask as the memory-efficient kernel wants it: expanded, rows a multiple of 8 elements apart.

    ATen adds 8 columns where it pads although there is a multiple of 8.
    """
    columns = mask.shape[-1]
    if mask.stride(-1) != 1 or any(stride % _ALIGNMENT for stride in mask.stride()[:-1]):
        mask = torch.nn.functional.pad(mask, (0, _ALIGNMENT - columns % _ALIGNMENT))[..., :columns]
    return mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])


def _fused(query, key, value, attn_mask, dropout_p, is_causal, scale):
    if attn_mask is None and query.dtype in _HALF and query.shape[-1] <= _FLASH_HEAD:
        width = query.shape[-1]
        if scale is None and width % _ALIGNMENT:
            scale = width ** -0.5
        out = torch.ops.aten._scaled_dot_product_flash_attention(
            _pad_head(query), _pad_head(key), _pad_head(value), dropout_p, is_causal, False, scale=scale)[0]
        return out if out.shape[-1] == width else out[..., :width]
    if attn_mask is not None:
        attn_mask = _aligned_mask(_additive(attn_mask, query), query, key)
    return torch.ops.aten._scaled_dot_product_efficient_attention(
        query, key, value, attn_mask, _needs_gradient(query, key, value), dropout_p, is_causal, scale=scale)[0]


def _additive(mask: torch.Tensor | None, query: torch.Tensor) -> torch.Tensor | None:
    """A mask of booleans as one of numbers to add."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.where(mask, torch.scalar_tensor(0.0, dtype=query.dtype, device=query.device), -float("inf"))


# Of PyTorch 2.5 and later: cuDNN's takes masks, that of separate kernels takes groups of heads.
_CUDNN_MASKS = "attn_bias" in str(torch.ops.aten._scaled_dot_product_cudnn_attention.default._schema)
_GROUPS = "enable_gqa" in str(torch.ops.aten._scaled_dot_product_attention_math.default._schema)


def _math_kernels(query, key, value, attn_mask, dropout_p, is_causal, scale, grouped):
    more = {"enable_gqa": grouped} if _GROUPS else {}
    return torch.ops.aten._scaled_dot_product_attention_math(
        query, key, value, attn_mask, dropout_p, is_causal, None, scale=scale, **more)[0]


def _math(query, key, value, attn_mask, dropout_p, is_causal, scale):
    return torch.ops.aten._scaled_dot_product_attention_math(
        query, key, value, attn_mask, dropout_p, is_causal, None, scale=scale)[0]


def _cudnn(query, key, value, attn_mask, dropout_p, is_causal, scale):
    return torch.ops.aten._scaled_dot_product_cudnn_attention(
        query, key, value, attn_mask, _needs_gradient(query, key, value), dropout_p, is_causal, False, scale=scale)[0]


def _needs_gradient(*tensors) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _cudnn_can(query, key, value, attn_mask) -> bool:
    """Half precision, heads of up to 128 in units of 8, and something to attend to."""
    widths = query.shape[-1], value.shape[-1]
    return (_CUDNN_MASKS and query.dtype in _HALF
            and all(width <= _CUDNN_HEAD and width % _ALIGNMENT == 0 for width in widths) and query.shape[-2] > 1 and key.shape[-2] > 1 and not (attn_mask is not None and attn_mask.requires_grad))


def _as_stack_chooses(prefer_cudnn: bool):
    """What scaled_dot_product_attention runs: under autocast of cast operands, of grouped heads without copies where the
    kernel can."""

    def run(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
        if torch.is_autocast_enabled("cuda"):
            dtype = torch.get_autocast_dtype("cuda")
            query, key, value, attn_mask = (
                tensor.to(dtype) if tensor is not None and tensor.is_floating_point() else tensor
                for tensor in (query, key, value, attn_mask))
        if query.dim() != 4 or torch.is_grad_enabled() and query.shape[-1] != value.shape[-1]:
            return _math_kernels(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
        grouped = query.shape[1] != key.shape[1]
        same_width = query.shape[-1] == value.shape[-1] == key.shape[-1]
        if attn_mask is None and query.dtype in _HALF and query.shape[-1] <= _FLASH_HEAD and same_width:
            return _fused(query, key, value, None, dropout_p, is_causal, scale)
        if prefer_cudnn and _cudnn_can(query, key, value, attn_mask):
            mask = _additive(attn_mask, query)
            if mask is not None:
                mask = mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
            return _cudnn(query, key, value, mask, dropout_p, is_causal, scale)
        if grouped or not same_width:
            return _math_kernels(query, key, value, attn_mask, dropout_p, is_causal, scale, grouped)
        return _fused(query, key, value, attn_mask, dropout_p, is_causal, scale)

    return run


def _math_of_all(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    if torch.is_autocast_enabled("cuda"):
        dtype = torch.get_autocast_dtype("cuda")
        query, key, value = (tensor.to(dtype) for tensor in (query, key, value))
    return _math_kernels(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)


#: What `attention=` of record() chooses.
CHOSEN = {"auto": _as_stack_chooses(True), "flash": _as_stack_chooses(False), "math": _math_of_all}


def _scaled_dot_product_attention(kind: str):
    run = {"flash": _fused, "eager": _fused, "none": _fused, "math": _math}[kind]

    def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None,
                                     enable_gqa=False):
        return run(query, key, value, attn_mask, dropout_p, is_causal, scale)

    return scaled_dot_product_attention


def _flash_attn_module() -> types.ModuleType:
    """Stands for the package flash_attn: its varlen entry, with PyTorch's copy of the same kernel."""

    def flash_attn_varlen_func(q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p=0.0,
                               softmax_scale=None, causal=False, window_size=(-1, -1), deterministic=False):
        return torch.ops.aten._flash_attention_forward(
            q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p, causal, False,
            scale=softmax_scale)[0]

    def flash_attn_func(q, k, v, dropout_p=0.0, softmax_scale=None, causal=False, window_size=(-1, -1),
                        deterministic=False):
        return torch.ops.aten._flash_attention_forward(
            q, k, v, None, None, q.shape[1], k.shape[1], dropout_p, causal, False, scale=softmax_scale)[0]

    module = types.ModuleType("flash_attn")
    module.__spec__ = importlib.machinery.ModuleSpec("flash_attn", None)
    module.__version__ = _FLASH_ATTN
    module.flash_attn_varlen_func = flash_attn_varlen_func
    module.flash_attn_func = flash_attn_func
    return module


@contextlib.contextmanager
def flash_attn_package():
    """Within: `import flash_attn` finds the stand-in (the official code asks when it is imported)."""
    with mock.patch.dict(sys.modules, {"flash_attn": _flash_attn_module()}):
        yield


@contextlib.contextmanager
def findable_flash_attn():
    """Within: the same, and the package has a version to be asked for, as transformers does."""

    def padding(*_, **__):
        raise NotImplementedError("nothing is padded here")

    bert_padding = types.ModuleType("flash_attn.bert_padding")
    bert_padding.index_first_axis = bert_padding.pad_input = bert_padding.unpad_input = padding
    version = importlib.metadata.version

    def answer(name: str) -> str:
        return _FLASH_ATTN if name in ("flash_attn", "flash-attn") else version(name)

    with (flash_attn_package(), mock.patch.dict(sys.modules, {"flash_attn.bert_padding": bert_padding}),
          mock.patch.object(importlib.metadata, "version", answer)):
        yield


@contextlib.contextmanager
def chosen_attention(kind: str):
    """Within: scaled_dot_product_attention is what a stack chooses."""
    with mock.patch.object(torch.nn.functional, "scaled_dot_product_attention", CHOSEN[kind]):
        yield


@contextlib.contextmanager
def attention(kind: str):
    """Within: scaled_dot_product_attention is the kernel of this kind."""
    with mock.patch.object(torch.nn.functional, "scaled_dot_product_attention", _scaled_dot_product_attention(kind)):
        yield
