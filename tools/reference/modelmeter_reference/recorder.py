"""Records one forward of a PyTorch module, kernel by kernel, on fake CUDA tensors."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import weakref
from typing import Any, Callable, Iterable

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode

from . import kernels
from .written_out import WRITTEN_OUT, fused_rms_norm

aten = torch.ops.aten


@dataclasses.dataclass
class Kernel:
    name: str
    scope: str
    inputs: list
    outputs: list
    flops: int
    read: int
    write: int
    live: int  # bytes above those at the start, right after the kernel
    modules: tuple[str, ...]  # the modules it ran in, outermost first
    section: str
    launched: bool  # something is written; an allocation, or what makes an empty result, is listed but not counted

    def row(self) -> list:
        return [self.name, self.scope, self.inputs, self.outputs, self.flops, self.read, self.write, self.live]


class Live:
    """Bytes of device storages that exist, from the first time each is seen until its last reference goes."""

    def __init__(self) -> None:
        self.bytes = 0
        self._references: dict[int, weakref.ref] = {}

    def see(self, tensors: Iterable[torch.Tensor]) -> None:
        for tensor in tensors:
            if tensor.device.type != "cuda":
                continue
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key in self._references:
                continue
            size = storage.nbytes()
            self._references[key] = weakref.ref(storage, lambda _, key=key, size=size: self._release(key, size))
            self.bytes += size

    def _release(self, key: int, size: int) -> None:
        if self._references.pop(key, None) is not None:
            self.bytes -= size


class Scopes:
    """Which module is running, and which section of the record that is.

    A section begins at a numbered module (`blocks.7`) and at each call of a module in `repeated` (`decoder#3`);
    sections within a section are not cut again.
    """

    def __init__(self, repeated: Iterable[str]) -> None:
        self.calls: dict[str, int] = {}
        self._repeated = set(repeated)
        self._stack: list[tuple[str, str]] = [("", "")]

    @property
    def name(self) -> str:
        return self._stack[-1][0]

    @property
    def section(self) -> str:
        return self._stack[-1][1]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name, _ in self._stack))

    def enter(self, name: str) -> None:
        section = self.section
        if not section and name in self._repeated:
            section = f"{name}#{self.calls.get(name, 0)}"
        elif not section and name.rpartition(".")[2].isdigit():
            section = name
        self.calls[name] = self.calls.get(name, 0) + 1
        self._stack.append((name, section))

    def leave(self) -> None:
        self._stack.pop()

    @contextlib.contextmanager
    def following(self, module: torch.nn.Module):
        """Within: the calls of the module and of those in it enter and leave their scopes."""
        handles = []
        for name, child in module.named_modules():
            handles.append(child.register_forward_pre_hook(lambda *_, name=name: self.enter(name)))
            handles.append(child.register_forward_hook(lambda *_: self.leave()))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


class Recorder(TorchDispatchMode):
    """Sits above a FakeTensorMode and writes down every kernel that passes."""

    def __init__(self, fake_mode: FakeTensorMode, scopes: Scopes, host: "Host | None" = None) -> None:
        super().__init__()
        self.kernels: list[Kernel] = []
        self.live = Live()
        self.live_at_start = 0
        self.scopes = scopes
        self.live_at_end = 0
        self._fake_mode = fake_mode
        self._host = host

    def begin(self, tensors: Iterable[torch.Tensor]) -> None:
        """The tensors that exist before the forward: parameters, buffers, inputs."""
        self.live.see(tensors)
        self.live_at_start = self.live.bytes

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.namespace == "prim":  # a question about a tensor, such as its device
            return func(*args, **kwargs)
        if _only_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        operands = list(kernels.tensors_in((args, kwargs)))
        if _on_host(operands, kwargs):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        if func is aten._local_scalar_dense.default and self._host is not None:
            return self._host.scalar(self.kernels[-1].name)
        written_out = WRITTEN_OUT.get(func)
        if written_out is not None:
            with self:
                result = written_out(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return self._record(func, args, kwargs, operands)

    def _record(self, func, args, kwargs, operands):
        self.live.see(operands)
        result = self._run(func, args, kwargs)
        outputs = list(kernels.tensors_in(result))
        self.live.see(outputs)
        targets = kernels.mutated(func, args, kwargs)
        known = {kernels.storage_key(tensor) for tensor in operands}
        made = [tensor for tensor in outputs if kernels.storage_key(tensor) not in known]
        if not made and not targets:
            return result  # a view
        written = made + targets
        name = kernels.kernel_name(func)
        launched = name not in kernels.EMPTY and any(tensor.numel() for tensor in written)
        listed = [kernels.describe(tensor) for tensor in written if tensor.untyped_storage().nbytes()]
        self.kernels.append(Kernel(
            name=name,
            scope=self.scopes.name,
            inputs=[row for row in map(kernels.describe, operands) if row],
            outputs=[row for row in listed if row],
            flops=kernels.flops(func, args, kwargs, result),
            read=kernels.bytes_read(name, operands, targets, outputs) if launched else 0,
            write=sum(map(kernels.nbytes, written)) if launched else 0,
            live=self.live.bytes - self.live_at_start,
            modules=self.scopes.names,
            section=self.scopes.section,
            launched=launched,
        ))
        if self._host is not None and func is aten._to_copy.default and result.device.type == "cpu":
            return self._host.values(result)
        return result

    def _run(self, func, args, kwargs):
        if func is aten._fused_rms_norm.default:
            return fused_rms_norm(*args, **kwargs)
        if func is aten.nonzero.default and self._host is not None:
            return torch.empty((self._host.nonzeros, args[0].dim()), dtype=torch.int64, device=args[0].device)
        args, kwargs = torch.utils._pytree.tree_map_only(torch.Tensor, self._as_fake, (args, kwargs))
        return func(*args, **kwargs)

    def _as_fake(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor if isinstance(tensor, FakeTensor) else self._fake_mode.from_tensor(tensor)


class Host:
    """Answers what the model reads back: fake tensors have no values."""

    nonzeros: int  # how many elements are not zero where the model asks for their places

    def scalar(self, kernel: str) -> bool | int | float:
        """The number made by the kernel of this name."""
        raise NotImplementedError

    def values(self, tensor: torch.Tensor) -> torch.Tensor:
        """A real tensor for one that was copied to the host."""
        raise NotImplementedError


def _only_composite(func) -> bool:
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    return has(func.name(), "CompositeImplicitAutograd") and not has(func.name(), "CUDA")


def _on_host(operands: list[torch.Tensor], kwargs: dict) -> bool:
    if any(isinstance(tensor, FakeTensor) for tensor in operands):
        return False
    device = kwargs.get("device")
    return (torch.device(device) if device is not None else torch.device("cpu")).type == "cpu"


def record(fake_mode: FakeTensorMode, module: torch.nn.Module, forward: Callable[[], Any], inputs: Any,
           repeated: Iterable[str] = (), roots: Iterable[str] = ("",), host: Host | None = None) -> Recorder:
    """Run `forward()` and record it.

    `inputs` are the tensors there are before it, `roots` the parts of the module that it uses.
    """
    scopes = Scopes(repeated)
    recorder = Recorder(fake_mode, scopes, host)
    parts = [module.get_submodule(root) for root in roots]
    recorder.begin([*(tensor for part in parts for tensor in (*part.parameters(), *part.buffers())),
                    *kernels.tensors_in(inputs)])
    del inputs
    gc.collect()
    gc.disable()
    try:
        with torch.no_grad(), scopes.following(module), recorder:
            result = forward()
    finally:
        gc.enable()
    recorder.live_at_end = recorder.live.bytes
    del result
    return recorder
