"""What one kernel reads and writes: the rules of the count.

A kernel is an operation that makes new storage or writes into one. Nothing here knows about models, scopes or
lifetimes.
"""

from __future__ import annotations

import math
from typing import Any, Iterator

import torch
from torch.utils.flop_counter import flop_registry

#: Short dtype names of the format. A tensor of another dtype is counted, but not listed.
DTYPES = {
    torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.float8_e4m3fn: "f8e4m3", torch.float8_e5m2: "f8e5m2",
    torch.int64: "i64", torch.int32: "i32", torch.int16: "i16", torch.int8: "i8", torch.uint8: "u8",
    torch.bool: "bool", torch.complex64: "c64", torch.complex128: "c128",
}

#: Take memory, move nothing, launch nothing.
EMPTY = {"aten.empty", "aten.empty_like", "aten.new_empty", "aten.empty_strided", "aten.new_empty_strided",
         "aten.empty_permuted"}

#: Have a tensor argument only for its dtype, device or shape.
LIKE = EMPTY | {"aten.zeros_like", "aten.ones_like", "aten.full_like", "aten.rand_like", "aten.randn_like",
                "aten.randint_like", "aten.new_zeros", "aten.new_ones", "aten.new_full"}

#: Write their target without reading it.
OVERWRITE = {"aten.copy_", "aten.fill_", "aten.zero_", "aten.normal_", "aten.uniform_", "aten.random_",
             "aten.bernoulli_", "aten.exponential_", "aten.arange_"}

#: Read of their first operand only what they return.
GATHER = {"aten.embedding", "aten.index", "aten.index_select", "aten.gather", "aten.take"}


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in arguments or results, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)


def kernel_name(func: torch._ops.OpOverload) -> str:
    return str(func.overloadpacket)


def storage_key(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def nbytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def distinct_bytes(tensor: torch.Tensor) -> int:
    """Bytes of the distinct elements: a dimension of stride 0 holds one."""
    count = math.prod(size if stride else min(size, 1) for size, stride in zip(tensor.shape, tensor.stride()))
    return count * tensor.element_size()


def describe(tensor: torch.Tensor) -> list | None:
    dtype = DTYPES.get(tensor.dtype)
    if dtype is None:
        return None
    return [list(tensor.shape), dtype if tensor.device.type == "cuda" else f"cpu:{dtype}"]


def located(tensor: torch.Tensor, number: int | None) -> list | None:
    """As `describe`, and in which storage of the record, with which strides and from where."""
    row = describe(tensor)
    if row is None:
        return None
    row.append(number)
    strides, offset = list(tensor.stride()), tensor.storage_offset()
    if offset:
        row += [None if tensor.is_contiguous() else strides, offset]
    elif not tensor.is_contiguous():
        row.append(strides)
    return row


def extras(func: torch._ops.OpOverload, args: tuple, kwargs: dict) -> dict:
    """What the operands do not say of a kernel."""
    name = kernel_name(func)
    said: dict[str, Any] = {}
    given = {argument.name: value for argument, value in zip(func._schema.arguments, args)} | kwargs
    if name == "aten.convolution":
        for key in ("stride", "padding", "dilation"):
            said[key] = list(given[key])
        if given.get("transposed"):
            said["transposed"] = True
        if given.get("groups", 1) != 1:
            said["groups"] = given["groups"]
    elif "attention" in name:
        if given.get("is_causal"):
            said["causal"] = True
        if given.get("cum_seq_q") is not None and isinstance(given.get("max_q"), int):
            said["params"] = [given["cum_seq_q"].numel() - 1, given["max_q"], given["max_k"]]
    if tf32(func) and any(tensor.dtype == torch.float32 for tensor in tensors_in(args)):
        said["tf32"] = True
    return said


def tf32(func: torch._ops.OpOverload) -> bool:
    """Whether the operation may compute float32 in TF32, as things are set now."""
    where = _TF32.get(func)
    return where is not None and bool(where.allow_tf32)


_TF32 = {getattr(torch.ops.aten, name).default: torch.backends.cuda.matmul for name in ("mm", "addmm", "bmm", "baddbmm")}
_TF32 |= {getattr(torch.ops.aten, name).default: torch.backends.cudnn for name in ("convolution", "convolution_backward")}


def mutated(func: torch._ops.OpOverload, args: tuple, kwargs: dict) -> list[torch.Tensor]:
    """The tensors that the operation writes into, by its schema."""
    found = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            found += tensors_in(value)
    return found


#: Collectives, whose schemas do not say what they write: which argument is received, which is sent.
COLLECTIVES = {"c10d.alltoall_": (0, 1), "c10d.alltoall_base_": (0, 1), "c10d.allgather_": (0, 1),
               "c10d._allgather_base_": (0, 1), "c10d._reduce_scatter_base_": (0, 1), "c10d.allreduce_": (0, 0)}


def bytes_read(name: str, inputs: list[torch.Tensor], targets: list[torch.Tensor], outputs: list[torch.Tensor]) -> int:
    if name in LIKE:
        return 0
    skipped = {id(target) for target in targets} if name in OVERWRITE else set()
    total, seen = 0, set()
    for position, tensor in enumerate(inputs):
        identity = (storage_key(tensor), tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
        if id(tensor) in skipped or identity in seen:
            continue
        seen.add(identity)
        total += nbytes(outputs[0]) if name in GATHER and position == 0 else distinct_bytes(tensor)
    return total


def flops(func: torch._ops.OpOverload, args: tuple, kwargs: dict, result: Any) -> int:
    """What PyTorch's registry of FLOP formulas says; 0 for what it does not know."""
    formula = flop_registry.get(func.overloadpacket)
    if formula is None:
        return 0
    name = kernel_name(func)
    if name.startswith("aten._scaled_dot_product"):
        args = _ungrouped(args, 1 if name.endswith("_backward") else 0)
    return int(formula(*args, **kwargs, out_val=result))


def _ungrouped(args: tuple, first: int) -> tuple:
    """Attention's arguments with a head of keys and values for each of the queries, by their shapes: formulas of before
    PyTorch 2.10 know no groups. The query is the argument `first`."""
    query, key, value = (list(tensor.shape) for tensor in args[first:first + 3])
    key[1] = value[1] = query[1]
    return (*args[:first], query, key, value, *args[first + 3:])
