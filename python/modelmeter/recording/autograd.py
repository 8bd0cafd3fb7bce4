"""Gradients without a GPU: PyTorch's autograd engine runs on fake tensors.

The engine wants a CUDA stream for each gradient function whose results are on a CUDA device, and a build of PyTorch with
CUDA asks the driver for one. So the engine is told that its tensors are on `meta`, all others that they are on the
device: C++ code asks a fake tensor for its device by the operation `prim::device` (Python does not), and who asks can be told from when:

- the engine itself, and what returns from a `torch.autograd.Function`, by the Python function that runs;
- a gradient function that is being made, since it asks once for each result right after the operation;
- the function that accumulates a leaf's gradient: of the model's parameters it is made here, before anyone asks. Of a leaf
  that the forward makes it is the first to ask, once. Making it here then would wait for a lock that the asking one holds.

Autocast and all else get the pretended device.
"""

from __future__ import annotations

import sys
import weakref

import torch
from torch._subclasses.fake_tensor import FakeTensor

from .errors import RecordingError, line_running

_META = torch.device("meta")
_BETWEEN = ("recording/autograd.py", "recording/recorder.py", "torch/_compile.py", "_dynamo/eval_frame.py",
            "utils/_python_dispatch.py")  # frames of the question itself
_ENGINE = ("autograd/graph.py", "autograd/function.py", "recording/functions.py")


class DeviceAnswers:
    def __init__(self) -> None:
        self._numbered = 0  # gradient functions there were when the last operation ended
        self._asked_once: set[int] = set()
        self._accumulators: dict[int, object] = {}
        self._leaves: weakref.WeakValueDictionary[int, torch.Tensor] = weakref.WeakValueDictionary()  # made meanwhile
        self._making = False

    def hold(self, leaves) -> None:
        """Make what accumulates the gradients of these for as long as this object lives."""
        self._making = True
        try:
            for leaf in leaves:
                if leaf.requires_grad and leaf.grad_fn is None:
                    self._accumulators[id(leaf)] = torch.autograd.graph.get_gradient_edge(leaf)
        finally:
            self._making = False

    def release(self) -> None:
        self._accumulators.clear()

    def before(self) -> bool:
        """An operation begins: whether a gradient function was made for it."""
        return torch.is_grad_enabled() and torch.autograd._get_sequence_nr() != self._numbered

    def after(self, made: bool, results: list[torch.Tensor]) -> None:
        """It ends, and PyTorch notes the device of its results if there is one.

        What runs without gradients may stand between a function and its operation: hooks of what the function saves.
        """
        self._asked_once = {id(tensor) for tensor in results} if made else set()
        if torch.is_grad_enabled():
            self._numbered = torch.autograd._get_sequence_nr()

    def device(self, tensor: torch.Tensor) -> torch.device:
        if not isinstance(tensor, FakeTensor):
            return tensor.device
        device = tensor.fake_device
        if device.type != "cuda" or not self._making and not torch.is_grad_enabled() and not self._in_engine():
            return device
        if self._making or self._in_engine():
            return _META
        if id(tensor) in self._asked_once:
            self._asked_once.discard(id(tensor))
            return _META
        if tensor.requires_grad and tensor.is_leaf and id(tensor) not in self._accumulators:
            if self._leaves.get(id(tensor)) is tensor:
                return device
            if torch.is_autocast_enabled():  # which asks, too
                raise RecordingError("a tensor made within the forward wants gradients under autocast, which is not recorded",
                                     line_running())
            self._leaves[id(tensor)] = tensor
            return _META
        return device

    @staticmethod
    def _in_engine() -> bool:
        """Whether who called into C++ is the engine, or a torch.autograd.Function that returns."""
        frame = sys._getframe(2)
        while frame is not None:
            path = frame.f_code.co_filename.replace("\\", "/")
            if not path.endswith(_BETWEEN):
                return path.endswith(_ENGINE)
            frame = frame.f_back
        return False
