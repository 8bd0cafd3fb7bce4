"""Values that are known although tensors are fake.

Small integers and booleans decide what a model does: masks, positions, lengths, which experts have tokens. Where
they come from the caller, from a buffer or from a constant, they are computed on the host beside the fake tensors, with
the same operations, so that what a model reads back is what it would read. What depends on weights or is random is
unknown.
"""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

import torch
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily
from torch.utils._pytree import tree_map_only

from . import kernels

MOST_INTEGERS = 1 << 16  # elements of a tensor whose values are followed
MOST_FLOATS = 1 << 14
MOST_ROUTED = 1 << 21  # of integers, where tokens are routed to experts: one of each token, choice and expert
_ATTRIBUTE = "_modelmeter_value"


@contextlib.contextmanager
def following_routes() -> Iterator[None]:
    """Within: integers of as many elements as routing takes are followed."""
    global MOST_INTEGERS
    before, MOST_INTEGERS = MOST_INTEGERS, MOST_ROUTED
    try:
        yield
    finally:
        MOST_INTEGERS = before


class _Value:
    """A real tensor beside a fake one. `valid` is shared by all views of it: something unknown may be written in."""

    __slots__ = ("real", "valid")

    def __init__(self, real: torch.Tensor, valid: list[bool]) -> None:
        self.real, self.valid = real, valid


def small(tensor: torch.Tensor) -> bool:
    most = MOST_FLOATS if tensor.is_floating_point() or tensor.is_complex() else MOST_INTEGERS
    return tensor.numel() <= most


def known(tensor: torch.Tensor) -> torch.Tensor | None:
    """The real tensor: itself, or the one beside a fake one; None where it is not known."""
    if not isinstance(tensor, FakeTensor):
        return tensor if tensor.device.type == "cpu" and small(tensor) else None
    value = tensor.__dict__.get(_ATTRIBUTE)
    return value.real if value is not None and value.valid[0] else None


def attach(tensor: torch.Tensor, real: torch.Tensor, valid: list[bool] | None = None) -> None:
    tensor.__dict__[_ATTRIBUTE] = _Value(real, [True] if valid is None else valid)


def _random(func: torch._ops.OpOverload) -> bool:
    return torch.Tag.nondeterministic_seeded in func.tags


_NO_VALUES = {"aten.empty", "aten.empty_like", "aten.new_empty", "aten.empty_strided", "aten.new_empty_strided",
              "aten.empty_permuted"}
_LIKE = kernels.LIKE - _NO_VALUES
_TO_HOST = {"device": torch.device("cpu")}


def compute(func, args: tuple, kwargs: dict, operands: list[torch.Tensor], name: str) -> Any:
    """The operation's real result, or None where an operand is unknown. Writes into known operands as it does."""
    if name in _NO_VALUES or _random(func):
        return None
    found: dict[int, torch.Tensor] = {}
    for tensor in operands:
        real = known(tensor)
        if real is None:
            if name not in _LIKE:
                return None
            real = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
        found[id(tensor)] = real
    if name in _LIKE:
        kwargs = {**kwargs, **_TO_HOST}
    elif kwargs.get("device") is not None:
        kwargs = {**kwargs, **_TO_HOST}
    elif not operands:
        return None
    args, kwargs = tree_map_only(torch.Tensor, lambda tensor: found[id(tensor)], (args, kwargs))
    try:
        return func(*args, **kwargs)
    except (RuntimeError, NotImplementedError, TypeError, IndexError, ValueError):
        return None


def follow(func, args: tuple, kwargs: dict, operands: list[torch.Tensor], targets: list[torch.Tensor], name: str,
           outputs_of: Any) -> None:
    """After the operation ran on fake tensors: the values of its results, where they follow from known ones."""
    if not operands and not _worth_making(outputs_of):
        return
    if operands and name not in _LIKE and any(known(tensor) is None for tensor in operands):
        _forget(targets)
        return
    outputs = [tensor for tensor in kernels.tensors_in(outputs_of)]
    if not all(map(small, outputs)):
        _forget(targets)
        return
    with unset_fake_temporarily():
        real = compute(func, args, kwargs, operands, name)
    results = list(kernels.tensors_in(real))
    if real is None or len(results) != len(outputs):
        _forget(targets)
        return
    by_storage = {}
    for tensor in operands:
        value = tensor.__dict__.get(_ATTRIBUTE) if isinstance(tensor, FakeTensor) else None
        if value is not None:
            by_storage[value.real.untyped_storage()._cdata] = value.valid
    for tensor, result in zip(outputs, results):
        if isinstance(tensor, FakeTensor) and tensor.shape == result.shape and result.device.type == "cpu":
            attach(tensor, result, by_storage.get(result.untyped_storage()._cdata))


def _worth_making(outputs_of: Any) -> bool:
    return all(small(tensor) for tensor in kernels.tensors_in(outputs_of))


def _forget(targets: list[torch.Tensor]) -> None:
    """Something unknown was written into these."""
    for tensor in targets:
        value = tensor.__dict__.get(_ATTRIBUTE) if isinstance(tensor, FakeTensor) else None
        if value is not None:
            value.valid[0] = False
