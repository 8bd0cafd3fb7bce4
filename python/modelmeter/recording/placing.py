"""A model and its inputs put on the pretended device, and the model put back as it was.

Parameters and buffers are replaced by fake tensors of the same shapes, strides and dtypes, whatever device they are on; what
shares memory does so on the device. Tensors on `meta`, and those on the host that are given as inputs, are on the
device as well: real code would have copied them there. Small values stay known (values.py).
"""

from __future__ import annotations

import collections.abc
import contextlib
import copy
from typing import Any, Iterator

import torch
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily

from . import values
from .device import DEVICE
from .errors import RecordingError
from .plans import Fakes


class Placing:
    """Fake tensors on the device for real ones, one for each."""

    def __init__(self, fakes: Fakes) -> None:
        self._fakes = fakes
        self._made: dict[int, torch.Tensor] = {}
        self._whole: dict[int, torch.Tensor] = {}  # by storage, where several tensors share one
        self._kept: list[Any] = []  # whose id()s are keys

    def tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        found = self._made.get(id(tensor))
        if found is None:
            found = self._fake(tensor)
            if tensor.requires_grad and tensor.is_leaf:
                found.requires_grad_()
            if isinstance(tensor, torch.nn.Parameter):
                found._is_param = True  # what torch.nn.Parameter() says of a fake tensor, and isinstance() asks
            self._made[id(tensor)] = found
            self._kept.append(tensor)
            if tensor.device.type == "cpu" and values.small(tensor):
                with unset_fake_temporarily():
                    values.attach(found, tensor.detach().clone())
        return found

    def _fake(self, tensor: torch.Tensor) -> torch.Tensor:
        if isinstance(tensor, FakeTensor):
            raise RecordingError("a tensor of the model or of its inputs is a fake one already, of another mode",
                                 notes=("make it without FakeTensorMode: on the host, on `meta`, or inside mm.Recorder()",))
        if type(tensor) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer if hasattr(torch.nn, "Buffer") else torch.Tensor):
            if hasattr(tensor, "__tensor_flatten__") or tensor.layout != torch.strided:
                raise RecordingError(f"a tensor is a {type(tensor).__name__}, which can't be made on the pretended device",
                                     notes=("tensors of torch.strided layout are recorded, subclasses that hold others are not",))
        if tensor.layout != torch.strided:
            raise RecordingError(f"a tensor has the layout {tensor.layout}, which can't be made on the pretended device")
        storage = tensor.untyped_storage()
        if storage.nbytes() == tensor.numel() * tensor.element_size() and storage._cdata not in self._whole:
            made = self._fakes.empty(tensor.shape, tensor.stride(), tensor.dtype, DEVICE)
            self._whole[storage._cdata] = made
            self._kept.append(storage)
            return made
        whole = self._whole.get(storage._cdata)
        if whole is None:
            whole = self._fakes.empty((storage.nbytes() // tensor.element_size(),), (1,), tensor.dtype, DEVICE)
            self._whole[storage._cdata] = whole
            self._kept.append(storage)
        if whole.dtype != tensor.dtype:
            raise RecordingError("two parameters share memory and have different dtypes, which is not recorded")
        return whole.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())

    def value(self, value: Any) -> Any:
        """The same with each tensor in it on the device; objects that hold tensors are copied, others are themselves."""
        if isinstance(value, torch.Tensor):
            return self.tensor(value)
        if isinstance(value, (str, bytes, int, float, complex, bool, type(None), torch.nn.Module, type)):
            return value
        found = self._made.get(id(value))
        if found is not None:
            return found
        changed = self._changed(value)
        if changed is not value:
            self._made[id(value)] = changed
            self._kept.append(value)
        return changed

    def _changed(self, value: Any) -> Any:
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self.value(item) for item in value))
        if type(value) in (list, tuple, set, frozenset):
            return type(value)(self.value(item) for item in value)
        if not _holds_tensors(value):
            return value
        changed = copy.copy(value)
        if isinstance(value, collections.abc.MutableMapping):
            for key in list(value):
                changed[key] = self.value(value[key])
        for key, item in list(getattr(value, "__dict__", {}).items()):
            changed.__dict__[key] = self.value(item)
        return changed


def _holds_tensors(value: Any, depth: int = 4) -> bool:
    if isinstance(value, torch.Tensor):
        return True
    if depth == 0 or isinstance(value, (str, bytes, int, float, type, torch.nn.Module)) or callable(value) and not hasattr(value, "__dict__"):
        return False
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_holds_tensors(item, depth - 1) for item in value)
    if isinstance(value, collections.abc.Mapping):
        if any(_holds_tensors(item, depth - 1) for item in value.values()):
            return True
    return any(_holds_tensors(item, depth - 1) for item in list(getattr(value, "__dict__", {}).values()))


@contextlib.contextmanager
def on_device(module: torch.nn.Module, placing: Placing) -> Iterator[None]:
    """Within: the module's parameters, buffers and gradients are on the device."""
    replaced: list[tuple[dict, dict]] = []
    lists: list[tuple[torch.nn.Module, str, list]] = []
    gradients = [(parameter, parameter.grad) for parameter in module.parameters() if parameter.grad is not None]
    try:
        for owner in module.modules():
            if isinstance(owner, (torch.jit.ScriptModule, torch.jit.ScriptFunction)):
                raise RecordingError(f"{type(owner).__name__} is TorchScript, whose modules can't be moved to the pretended device",
                                     notes=("record the module that it was made from",))
            for table in (owner._parameters, owner._buffers):
                replaced.append((table, dict(table)))
                for name, value in table.items():
                    if isinstance(value, (torch.nn.parameter.UninitializedParameter, torch.nn.parameter.UninitializedBuffer)):
                        raise RecordingError(f"parameter {name!r} of {type(owner).__name__} has no shape yet",
                                             notes=("run lazy modules once before they are recorded",))
                    if value is not None:
                        table[name] = placing.tensor(value)
            for name, value in list(owner.__dict__.items()):  # torch.nn.LSTM and others keep their parameters in lists, too
                if type(value) is list and any(isinstance(item, torch.nn.Parameter) for item in value):
                    lists.append((owner, name, value))
                    owner.__dict__[name] = placing.value(value)
        for parameter, gradient in gradients:
            placing.tensor(parameter).grad = placing.tensor(gradient)
        yield
    finally:
        for table, before in replaced:
            table.clear()
            table.update(before)
        for owner, name, value in lists:
            owner.__dict__[name] = value
