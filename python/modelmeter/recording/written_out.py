"""What PyTorch's CUDA code runs as several kernels below its dispatcher, written out as those kernels.

Each function has the arguments of the operation it stands for, and returns NotImplemented where the operation
is one kernel after all.
"""

from __future__ import annotations

import functools

import torch
from torch._prims_common import suggest_memory_format

aten = torch.ops.aten

_CONTIGUOUS = torch.contiguous_format
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
_OF_NUMBERS = {bool: torch.bool, int: torch.int64, float: torch.float64, complex: torch.complex128}


def convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """cuDNN's: a contiguous copy of a strided input, the convolution, the bias."""
    dense = input.is_contiguous() or input.is_contiguous(memory_format=_CHANNELS_LAST.get(input.dim(), _CONTIGUOUS))
    if bias is None and dense:
        return NotImplemented
    if not dense:
        input = input.clone(memory_format=torch.contiguous_format)
    out = aten.convolution(input, weight, None, stride, padding, dilation, transposed, output_padding, groups)
    if bias is not None:
        out.add_(bias.view(1, -1, *[1] * (out.dim() - 2)))
    return out


def constant_pad_nd(input, pad, value=0):
    """The whole filled, the inside copied; a copy of what is left where nothing is added."""
    inside = input
    shape = list(input.shape)
    place = []
    for index in range(len(pad) // 2):
        dimension = input.dim() - 1 - index
        before, after = pad[2 * index], pad[2 * index + 1]
        shape[dimension] += before + after
        inside = inside.narrow(dimension, max(-before, 0), inside.shape[dimension] + min(before, 0) + min(after, 0))
        place.append((dimension, max(before, 0), inside.shape[dimension]))
    if max(pad, default=0) <= 0:
        return inside.clone()
    out = input.new_empty(shape)
    out.fill_(value)
    target = out
    for dimension, start, length in place:
        target = target.narrow(dimension, start, length)
    target.copy_(inside)
    return out


def pow_of_number(base, exponent):
    """A number as base is made a tensor first; powers of 1 are filled in."""
    if base == 1:
        return torch.empty_like(exponent, dtype=torch.result_type(base, exponent)).fill_(1)
    kind = next(dtype for python, dtype in _OF_NUMBERS.items() if isinstance(base, python))
    filled = torch.empty((), dtype=kind, device=exponent.device).fill_(base)
    return aten.pow.Tensor_Tensor(filled, exponent)


def nearest(operation):
    """Nearest upsampling: a contiguous copy of a strided input first."""

    def upsample(input, *args, **kwargs):
        if input.is_contiguous():
            return NotImplemented
        return operation(input.contiguous(), *args, **kwargs)

    return upsample


def safe_softmax(scores, dim, dtype=None):
    """Softmax in which a row that is masked out altogether is 0."""
    out = torch.softmax(scores, dim, dtype=dtype)
    masked = torch.all(scores.eq(-float("inf")), dim, keepdim=True)
    zero = torch.zeros((), dtype=out.dtype, device=out.device)
    return torch.where(masked, zero, out)


def fused_rms_norm(input, normalized_shape, weight=None, eps=None):
    """Results of aten._fused_rms_norm, which has no rule for fake tensors."""
    rows = [*input.shape[:-len(normalized_shape)], *[1] * len(normalized_shape)]
    statistics = torch.float64 if input.dtype == torch.float64 else torch.float32
    return torch.empty_like(input, memory_format=torch.contiguous_format), input.new_empty(rows, dtype=statistics)


def native_layer_norm(input, normalized_shape, weight, bias, eps):
    """A contiguous copy of a strided input first."""
    if input.is_contiguous():
        return NotImplemented
    return aten.native_layer_norm(input.clone(memory_format=_CONTIGUOUS), normalized_shape, weight, bias, eps)


def bicubic(input, *args, **kwargs):
    """Antialiased bicubic resampling: a contiguous copy of a strided input first, which stays until a result that is
    channels last, as its input was, is copied to."""
    if input.is_contiguous():
        return NotImplemented
    size = args[0]
    layout = suggest_memory_format(input)
    out = None
    if layout != _CONTIGUOUS:
        out = torch.empty((*input.shape[:2], *size), dtype=input.dtype, device=input.device, memory_format=layout)
    dense = input.clone(memory_format=_CONTIGUOUS)
    resampled = aten._upsample_bicubic2d_aa(dense, *args, **kwargs)
    return resampled if out is None else out.copy_(resampled)


def cat(tensors, dim=0):
    """Operands of different dtypes are copied one by one, those without elements not at all."""
    copied = [tensor for tensor in tensors if tensor.numel()]
    if len({tensor.dtype for tensor in copied}) <= 1:
        return NotImplemented
    dtype = functools.reduce(torch.promote_types, (tensor.dtype for tensor in tensors))
    like = next((tensor for tensor in copied if tensor.dtype == dtype), copied[0])
    shape = list(like.shape)
    shape[dim] = sum(tensor.shape[dim] for tensor in copied)
    out = like.new_empty(shape, dtype=dtype)
    start = 0
    for tensor in copied:
        out.narrow(dim, start, tensor.shape[dim]).copy_(tensor)
        start += tensor.shape[dim]
    return out


def masked_scatter(input, mask, source):
    """A copy, and the rest in place."""
    shape = torch.broadcast_shapes(input.shape, mask.shape)
    return input.expand(shape).clone(memory_format=_CONTIGUOUS).masked_scatter_(mask.expand(shape), source)


def is_all_true(condition):
    """What it calls."""
    return aten.all.default(condition)


def index(input, indices):
    """Positions that lie in host memory are copied to the device first."""
    if all(positions is None or positions.device == input.device for positions in indices):
        return NotImplemented
    return aten.index.Tensor(input, [positions if positions is None else positions.to(input.device)
                                     for positions in indices])


def fused_rms_norm_backward(grad, input, normalized_shape, rstd, weight, output_mask):
    """Results of aten._fused_rms_norm_backward, as above."""
    return (torch.empty_like(input) if output_mask[0] else None,
            torch.empty_like(weight) if output_mask[1] and weight is not None else None)


def convolution_backward(grad, input, weight, bias_sizes, stride, padding, dilation, transposed, output_padding, groups,
                         output_mask):
    """cuDNN's gradients of input and weight, then the sum that is the bias's."""
    if not output_mask[2]:
        return NotImplemented
    of_input = of_weight = None
    if output_mask[0] or output_mask[1]:
        of_input, of_weight, _ = aten.convolution_backward(grad, input, weight, bias_sizes, stride, padding, dilation,
                                                           transposed, output_padding, groups, [*output_mask[:2], False])
    return of_input, of_weight, grad.sum([0, *range(2, grad.dim())])


def grid_sampler(input, grid):
    """The result of aten.cudnn_grid_sampler, which has no rule for fake tensors."""
    return input.new_empty((*input.shape[:2], *grid.shape[1:3]))


def where_of(condition):
    """The places that are not zero, one tensor for each dimension."""
    return list(aten.nonzero(condition).unbind(1))


def masked(indices):
    """Booleans among indices are made places first."""
    found = []
    for positions in indices:
        if positions is not None and positions.dtype in (torch.bool, torch.uint8):
            found += where_of(positions)
        else:
            found.append(positions)
    return found


def index_put(operation):
    """The same for writing by index; a number in host memory is filled in by one kernel."""

    def put(input, indices, values, accumulate=False):
        if all(positions is None or positions.dtype not in (torch.bool, torch.uint8) for positions in indices):
            return NotImplemented
        if not accumulate and len(indices) == 1 and values.numel() == 1 and values.device.type == "cpu":
            mask = indices[0].view(*indices[0].shape, *[1] * (input.dim() - indices[0].dim()))
            fill = aten.masked_fill_.Tensor if operation is aten.index_put_.default else aten.masked_fill.Tensor
            return fill(input, mask, values)
        return operation(input, masked(indices), values, accumulate)

    return put


def index_or_mask(input, indices):
    """Booleans are made places first."""
    if any(positions is not None and positions.dtype in (torch.bool, torch.uint8) for positions in indices):
        return aten.index.Tensor(input, masked(indices))
    return index(input, indices)


#: Operations that have no rule for fake tensors.
MADE_BY_HAND = {aten._fused_rms_norm.default: fused_rms_norm} if hasattr(aten, "_fused_rms_norm") else {}
if hasattr(aten, "_fused_rms_norm_backward"):
    MADE_BY_HAND[aten._fused_rms_norm_backward.default] = fused_rms_norm_backward

MADE_BY_HAND[aten.cudnn_grid_sampler.default] = grid_sampler

#: By name; PyTorch 2.4 lacks some.
_NAMED = {
    "convolution.default": convolution,
    "constant_pad_nd.default": constant_pad_nd,
    "pow.Scalar": pow_of_number,
    "native_layer_norm.default": native_layer_norm,
    "_safe_softmax.default": safe_softmax,
    "cat.default": cat,
    "masked_scatter.default": masked_scatter,
    "_is_all_true.default": is_all_true,
    "index.Tensor": index,
    "_upsample_bicubic2d_aa.default": bicubic,
}


def _overload(name: str):
    packet, _, overload = name.partition(".")
    return getattr(getattr(aten, packet), overload) if hasattr(aten, packet) else None


WRITTEN_OUT = {_overload(name): function for name, function in _NAMED.items() if _overload(name) is not None}
WRITTEN_OUT |= {operation: nearest(operation) for operation in map(_overload, (
    f"{kind}{dimensions}d.default" for kind in ("upsample_nearest", "_upsample_nearest_exact") for dimensions in (1, 2, 3)))}

#: The same where values are followed, and gradients recorded.
WRITTEN_OUT_FOLLOWING = WRITTEN_OUT | {
    aten.convolution_backward.default: convolution_backward,
    aten.index.Tensor: index_or_mask,
    aten.index_put_.default: index_put(aten.index_put_.default),
    aten.index_put.default: index_put(aten.index_put.default),
}
