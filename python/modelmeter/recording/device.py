"""A CUDA device that is not there: enough of one for fake tensors, autocast and module construction."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import inspect
import os
import types
from typing import Callable
from unittest import mock

import torch
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.optim import optimizer
from torch.utils import _foreach_utils

DEVICE = torch.device("cuda", 0)

class _Stream:
    """A stream or an event of the device: what is asked of it has happened."""

    device, cuda_stream, stream_id, priority = DEVICE, 0, 0, 0

    def __init__(self, *_, **__) -> None:
        pass

    def _nothing(self, *_, **__) -> None:
        pass

    record = wait = synchronize = wait_event = wait_stream = record_event = _nothing

    def query(self) -> bool:
        return True

    def elapsed_time(self, _) -> float:
        return 0.0

    def __enter__(self) -> "_Stream":
        return self

    __exit__ = _nothing


_MEMORY = 80 * 2**30
_PROPERTIES = types.SimpleNamespace(name="fake", major=9, minor=0, total_memory=_MEMORY, multi_processor_count=132,
                                    max_threads_per_multi_processor=2048, warp_size=32, is_integrated=False,
                                    is_multi_gpu_board=False, gcnArchName="", regs_per_multiprocessor=65536,
                                    shared_memory_per_block_optin=232448, shared_memory_per_multiprocessor=233472,
                                    L2_cache_size=50 * 2**20)

#: What is asked about the device, and the answers.
_ANSWERS = {
    "get_device_properties": _PROPERTIES,
    "current_stream": _Stream(),
    "default_stream": _Stream(),
    "stream": _Stream(),
    "set_device": None,
    "mem_get_info": (_MEMORY, _MEMORY),
    "reset_peak_memory_stats": None,
    "is_available": True,
    "is_initialized": True,
    "is_bf16_supported": True,
    "device_count": 1,
    "current_device": 0,
    "get_device_capability": (9, 0),
    "get_device_name": "fake",
    "synchronize": None,
    "empty_cache": None,
    "is_current_stream_capturing": False,
    "_lazy_init": None,
}


_CUDA, _META = 1, 14  # of c10::DeviceType


def _guard_without_driver() -> None:
    """Where there is no GPU, device guards of CUDA that do nothing, as those of `meta`: C++ code sets one around what it
    does with a tensor of the device. Newer PyTorch has a function for it; for others it is entered here in the table of
    guards, c10::impl::device_guard_impl_registry, an array of pointers by the type of device."""
    ensure = getattr(torch._C, "_ensureCUDADeviceGuardSet", None)
    if ensure is not None:
        ensure()
        return
    if torch.cuda.device_count():
        return
    try:
        library = ctypes.CDLL(os.path.join(os.path.dirname(torch.__file__), "lib", "libc10.so"))
        guards = (ctypes.c_void_p * (_META + 1)).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    except (OSError, ValueError):  # another build of it: what needs a guard says so itself
        return
    guards[_CUDA] = guards[_META]


@contextlib.contextmanager
def fake_cuda():
    """Within: torch.cuda says that there is a device, and every new tensor is a fake one. Yields the mode."""
    importlib.import_module("torch._dynamo")  # which fake tensors import when the first is made, and can't within
    _guard_without_driver()
    with contextlib.ExitStack() as stack:
        if hasattr(fake_tensor, "init_gpu_context"):
            stack.enter_context(mock.patch.object(fake_tensor, "init_gpu_context", lambda *_: None))
        if hasattr(fake_tensor, "init_cuda_context"):
            stack.enter_context(mock.patch.object(fake_tensor, "init_cuda_context", lambda *_: None))
        # Optimizers take lists of tensors where all are of these types, as parameters on a device are.
        stack.enter_context(mock.patch.object(_foreach_utils, "_foreach_supported_types",
                                              [torch.Tensor, torch.nn.Parameter, FakeTensor], create=True))
        stack.enter_context(mock.patch.object(optimizer, "_foreach_supported_types",
                                              [torch.Tensor, torch.nn.Parameter, FakeTensor], create=True))
        for name, answer in _ANSWERS.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, lambda *_, _answer=answer, **__: _answer))
        for name in ("Stream", "Event"):
            stack.enter_context(mock.patch.object(torch.cuda, name, _Stream))
        # torch.tensor(data, device=...) then copies from the host, as it does with a device; else it asks the driver.
        stack.enter_context(mock.patch.object(FakeTensorMode, "avoid_device_init", True))
        yield stack.enter_context(FakeTensorMode())


@contextlib.contextmanager
def memory_questions(alive: Callable[[], int], peak: Callable[[], int]):
    """Within: what the allocator is asked for has these answers; a peak is that since the recording began."""
    with contextlib.ExitStack() as stack:
        for name, answer in (("memory_allocated", alive), ("memory_reserved", peak),
                             ("max_memory_allocated", peak), ("max_memory_reserved", peak)):
            stack.enter_context(mock.patch.object(torch.cuda, name, lambda *_, _answer=answer, **__: _answer()))
        yield


@contextlib.contextmanager
def building():
    """Within: modules are built on the device, and nothing initialises them."""
    with contextlib.ExitStack() as stack:
        for name, function in inspect.getmembers(torch.nn.init, inspect.isfunction):
            if name.endswith("_") and not name.startswith("_"):
                stack.enter_context(mock.patch.object(torch.nn.init, name, lambda tensor, *_, **__: tensor))
        stack.enter_context(torch.device(DEVICE))
        stack.enter_context(torch.no_grad())
        yield


@contextlib.contextmanager
def cudnn_layouts():
    """Within: convolutions are cuDNN's, whose results are channels last where their inputs are. Else, as without a
    driver, they come out contiguous, or PyTorch asks the driver."""
    with mock.patch.object(torch._C, "_select_conv_backend", lambda *_, **__: torch._C._ConvBackend.Cudnn):
        yield


def tensor(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    """An input on the device."""
    return torch.empty(shape, dtype=dtype, device=DEVICE)


def freeze(module: torch.nn.Module) -> torch.nn.Module:
    """For inference: evaluation mode, no gradients (autocast keeps its casts of weights that want one)."""
    return module.eval().requires_grad_(False)


def set_dtype(module: torch.nn.Module, dtype: torch.dtype, keep=lambda name: False) -> torch.nn.Module:
    """Give floating-point parameters and buffers another dtype, except those that `keep(name)` names."""
    for prefix, owner in module.named_modules():
        for table in (owner._parameters, owner._buffers):
            for name, value in table.items():
                full = f"{prefix}.{name}" if prefix else name
                if value is None or not value.is_floating_point() or value.dtype == dtype or keep(full):
                    continue
                cast = torch.empty_like(value, dtype=dtype)
                table[name] = torch.nn.Parameter(cast, requires_grad=False) if table is owner._parameters else cast
    return module
