"""What an operation did to operands of the same shapes before, done again without asking PyTorch.

A forward runs the same operations on tensors of the same shapes many times. Fake tensors find out each time what comes
out (40 to 60 us); here that is looked up: by the operation, its numbers, and of each tensor the shape, strides, offset,
dtype, device and which of the operands share memory. What was found out is kept as a Plan: which results are operands
themselves, which are views of one and which are new, and everything of the kernel's row but the storages' numbers.

Not kept, and so asked each time: operations whose result is a question of values, that change an operand's shape, that
are not PyTorch's own, and what has complex, negated or constant tensors.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from . import kernels

_NUMBERS = frozenset((int, float, bool, type(None), str, torch.dtype, torch.device, torch.layout, torch.memory_format))
_NAMESPACES = ("aten", "prims")
_NOT_KEPT = {"aten.resize_", "aten.resize_as_", "aten.set_", "aten.lift", "aten.lift_fresh", "aten.lift_fresh_copy", "aten.topk",
             "aten._local_scalar_dense", "aten.to_mkldnn", "aten.detach_", "aten._resize_output_"}
_TAGS = [getattr(torch.Tag, name) for name in ("data_dependent_output", "dynamic_output_shape", "inplace_view")
         if hasattr(torch.Tag, name)]
_SAME, _VIEW, _NEW = range(3)


class Key:
    """Of one operation: what finds its plan, and the storages of its operands."""

    __slots__ = ("parts", "operands", "cells", "found_by", "_first")

    found_by: tuple

    def __init__(self) -> None:
        self.parts: list = []
        self.operands: list[FakeTensor] = []
        self.cells: list[int] = []  # the storage of each operand
        self._first: dict[int, int] = {}

    def add(self, value: Any) -> bool:
        """One argument more; False where nothing can be kept."""
        kind = type(value)
        if kind is FakeTensor:
            return self._add_tensor(value)
        if kind in _NUMBERS:
            self.parts += (kind, value)
            return True
        if kind is list or kind is tuple or kind is torch.Size:
            self.parts += (kind, len(value))
            return all(map(self.add, value))
        return False

    def _add_tensor(self, tensor: FakeTensor) -> bool:
        dtype = tensor.dtype
        if dtype.is_complex or tensor.constant is not None or tensor.is_neg():
            return False
        cell = tensor.untyped_storage()._cdata
        first = self._first
        self.parts += (tensor.shape, tensor.stride(), tensor.storage_offset(), dtype, tensor.fake_device,
                       first.setdefault(cell, len(first)))
        self.operands.append(tensor)
        self.cells.append(cell)
        return True


def key_of(func, args: tuple, kwargs: dict) -> Key | None:
    """None where no plan can be kept."""
    key = Key()
    key.parts += (func, torch.get_default_dtype(), kernels.tf32(func))
    for value in args:
        if not key.add(value):
            return None
    for name, value in kwargs.items():
        key.parts.append(name)
        if not key.add(value):
            return None
    key.found_by = tuple(key.parts)
    return key


def can_keep(func, name: str) -> bool:
    found = _KEEPS.get(func)
    if found is None:
        found = (func.namespace in _NAMESPACES and name not in _NOT_KEPT and not any(tag in func.tags for tag in _TAGS))
        _KEEPS[func] = found
    return found


_KEEPS: dict[Any, bool] = {}


@dataclasses.dataclass(slots=True)
class Row:
    """Of a kernel's row, what does not change."""

    inputs: list[tuple[int, list, list]]  # place among operands and results, before and after the storage's number
    outputs: list[tuple[int, list, list]]
    kernel: Any  # the first that ran so


@dataclasses.dataclass(slots=True)
class Plan:
    results: list[tuple]
    container: type | None  # of several results
    targets: list[int]  # places among the operands of what is written into
    row: Row | None = None  # None: a view, no kernel


def plan_of(key: Key, result: Any, targets: list[torch.Tensor]) -> Plan | None:
    """What came out, if it can be made again."""
    container = type(result) if type(result) in (tuple, list) else None
    results = []
    of_operands = {id(tensor): place for place, tensor in enumerate(key.operands)}
    new = set()
    for value in (result,) if container is None else result:
        if value is None:
            results.append((None,))
            continue
        if type(value) is not FakeTensor or value.dtype.is_complex or value.constant is not None or value.is_neg():
            return None
        layout = (tuple(value.shape), value.stride(), value.storage_offset(), value.dtype, value.fake_device)
        storage = value.untyped_storage()
        if id(value) in of_operands:
            results.append((_SAME, of_operands[id(value)]))
        elif storage._cdata in key.cells:
            results.append((_VIEW, key.cells.index(storage._cdata), *layout))
        elif storage._cdata in new or layout[2] or storage.nbytes() != _bytes(value):
            return None
        else:
            new.add(storage._cdata)
            results.append((_NEW, *layout))
    if any(id(target) not in of_operands for target in targets):
        return None
    return Plan(results, container, [of_operands[id(target)] for target in targets])


def _bytes(tensor: torch.Tensor) -> int:
    """Of the smallest storage that holds the tensor."""
    if not tensor.numel():
        return 0
    return (1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))) * tensor.element_size()


class Fakes:
    """Makes fake tensors of a mode without its dispatch."""

    def __init__(self, mode: FakeTensorMode) -> None:
        self._mode = mode
        self._attributes: dict[torch.device, dict] = {}
        # What FakeTensor's constructor does beside its attributes; PyTorch 2.4 has it too.
        self._guard = (torch._C._set_warn_deprecated_on_mutable_data_ptr if mode._allow_unsafe_data_ptr_access
                       else torch._C._set_throw_on_mutable_data_ptr)

    def results(self, plan: Plan, key: Key) -> list:
        made = []
        with torch._C._DisableTorchDispatch():
            for found in plan.results:
                kind = found[0]
                if kind == _NEW:
                    _, shape, stride, _, dtype, device = found
                    tensor = torch.empty_strided(shape, stride, dtype=dtype, device="meta")
                elif kind == _VIEW:
                    _, place, shape, stride, offset, dtype, device = found
                    tensor = torch.empty(0, dtype=dtype, device="meta")
                    tensor.set_(key.operands[place].untyped_storage(), offset, shape, stride)
                else:
                    made.append(None if kind is None else key.operands[found[1]])
                    continue
                made.append(self._fake(tensor, device))
        return made

    def empty(self, shape, stride, dtype: torch.dtype, device: torch.device) -> FakeTensor:
        """As torch.empty_strided."""
        with torch._C._DisableTorchDispatch():
            return self._fake(torch.empty_strided(shape, stride, dtype=dtype, device="meta"), device)

    def _fake(self, tensor: torch.Tensor, device: torch.device) -> FakeTensor:
        attributes = self._attributes.get(device)
        if attributes is None:
            first = FakeTensor(self._mode, tensor, device)
            self._attributes[device] = dict(first.__dict__)
            return first
        made = torch.Tensor._make_subclass(FakeTensor, tensor, False, dispatch_device=True, device_for_backend_keys=device)
        self._guard(made)
        made.__dict__.update(attributes)
        return made
