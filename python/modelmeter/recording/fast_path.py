"""torch.nn.MultiheadAttention as ATen runs it where no gradients are wanted: `aten::_native_multi_head_attention`, whose
kernels are below the dispatcher. Of self-attention without masks and weights they are one product for queries, keys and
values, scaled_dot_product_attention and the projection; what else the module does runs as its Python code."""

from __future__ import annotations

import contextlib
from typing import Iterator
from unittest import mock

import torch
import torch.nn.functional as F

_forward = torch.nn.MultiheadAttention.forward


def _attention(query, key, value, embed_dim, num_heads, qkv_weight, qkv_bias, weight, bias, *_, **__):
    """(native/transformers/cuda/attention.cu, native_multi_head_attention_cuda, with a fused kernel of SDPA)"""
    batch = query.size(0)
    packed = F.linear(query, qkv_weight, qkv_bias)
    parts = [part.view(batch, -1, num_heads, embed_dim // num_heads).transpose(1, 2) for part in packed.chunk(3, -1)]
    out = F.scaled_dot_product_attention(*parts)
    return F.linear(out.transpose(1, 2).reshape(batch, -1, embed_dim), weight, bias), None


def _is_plain(query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True,
              is_causal=False) -> bool:
    masked = key_padding_mask is not None or attn_mask is not None or is_causal
    return query is key and key is value and not need_weights and not masked


@contextlib.contextmanager
def fast_path() -> Iterator[None]:
    """Within: torch.nn's attention modules take ATen's inference kernels where these are known, and where the user has not
    switched them off; everywhere else the kernels of their own code."""
    enabled = torch.backends.mha.get_fastpath_enabled()

    def forward(self, *args, **kwargs):
        torch.backends.mha.set_fastpath_enabled(enabled and _is_plain(*args, **kwargs))
        try:
            return _forward(self, *args, **kwargs)
        finally:
            torch.backends.mha.set_fastpath_enabled(False)

    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with mock.patch.object(torch.nn.MultiheadAttention, "forward", forward), \
                mock.patch.object(torch, "_native_multi_head_attention", _attention):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
