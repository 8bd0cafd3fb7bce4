"""Records PyTorch code, kernel by kernel, on fake CUDA tensors."""

from __future__ import annotations

import dataclasses
import gc
from typing import Any, Callable, Iterable

import torch
from torch._subclasses.fake_tensor import (DataDependentOutputException, DynamicOutputShapeException, FakeTensor,
                                           FakeTensorMode, unset_fake_temporarily)
from torch.utils._python_dispatch import TorchDispatchMode

from . import kernels, values
from .autograd import DeviceAnswers
from .errors import RecordingError, line_running
from .host import Host, Reader, even_routing
from .live import BEFORE, Live
from .plans import Fakes, Key, Plan, Row, can_keep, key_of, plan_of
from .recurrent import pack_padded_sequence
from .scopes import Scopes
from .written_out import MADE_BY_HAND, WRITTEN_OUT, WRITTEN_OUT_FOLLOWING

aten = torch.ops.aten
_HOST = torch.device("cpu")
_ON_DEVICE = "_modelmeter_on_device"


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
    extra: dict = dataclasses.field(default_factory=dict)  # what the operands do not say

    def row(self) -> list:
        row = [self.name, self.scope, self.inputs, self.outputs, self.flops, self.read, self.write, self.live]
        return [*row, self.extra] if self.extra else row


class Recorder(TorchDispatchMode):
    """Sits above a FakeTensorMode and writes down every kernel that passes. What it did before it does again by itself (plans.py).

    `host` answers what a reference's model reads back. `reader` is for any model: values that follow from the inputs
    are followed, and it is asked for the others; operands say in which storages they lie; gradients can be computed.
    """

    def __init__(self, fake_mode: FakeTensorMode, scopes: Scopes, host: Host | None = None, reader: Reader | None = None,
                 even: bool = False, fakes: Fakes | None = None) -> None:
        super().__init__()
        self.kernels: list[Kernel] = []
        self.live = Live(lambda: len(self.kernels))
        self.live_at_start = 0
        self.live_at_end = 0
        self.scopes = scopes
        self.paused = False  # operations run, and are no part of the record
        self.devices = DeviceAnswers() if reader is not None else None
        self._fake_mode = fake_mode
        self._host = host
        self._reader = reader
        self._even = even
        self._written_out = WRITTEN_OUT if reader is None else WRITTEN_OUT_FOLLOWING
        self._fakes = fakes or Fakes(fake_mode)
        self._plans: dict[tuple, Plan | None] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """PyTorch asks at each operation whether it compiles, unless this says that there is no need to: nothing is here."""
        return False

    def begin(self, tensors: Iterable[torch.Tensor], role: str = "") -> None:
        """The tensors that exist before the forward: parameters, buffers, inputs."""
        self.live.see(tensors, BEFORE, role)
        self.live_at_start = self.live.bytes

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.namespace == "prim":  # a question about a tensor, such as its device
            if self.devices is not None and func is torch.ops.prim.device.default:
                return self.devices.device(args[0])
            return func(*args, **kwargs)
        if _only_composite(func):
            with self:
                return func.decompose(*args, **kwargs)
        if self.devices is None:
            return self._dispatch(func, args, kwargs)
        made = self.devices.before()
        result = self._dispatch(func, args, kwargs)
        self.devices.after(made, list(kernels.tensors_in(result)))
        return result

    def _dispatch(self, func, args, kwargs):
        if self.devices is not None and kwargs.get("device") is not None and kwargs["device"].type == "meta":
            kwargs = {**kwargs, "device": torch.device("cuda", 0)}  # a gradient function made something
        operands = list(kernels.tensors_in((args, kwargs)))
        if _on_host(operands, kwargs):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        if func is aten._local_scalar_dense.default and (self._host is not None or self._reader is not None):
            return self._scalar(args[0])
        if self._reader is not None and any(tensor.device.type == "meta" for tensor in operands):
            args, kwargs = torch.utils._pytree.tree_map_only(torch.Tensor, self._on_device, (args, kwargs))
            operands = list(kernels.tensors_in((args, kwargs)))
        if self._reader is not None and _all_on_host(operands, kwargs):
            args, kwargs = self._faked(args, kwargs, operands)
            operands = list(kernels.tensors_in((args, kwargs)))
            result = self._run(func, args, kwargs, operands)
            values.follow(func, args, kwargs, operands, kernels.mutated(func, args, kwargs), kernels.kernel_name(func), result)
            return result
        if func is aten._pack_padded_sequence.default and self._reader is not None:
            return self._packed(*args)
        written_out = self._written_out.get(func)
        if written_out is not None:
            with self:
                result = written_out(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if kernels.kernel_name(func) in kernels.COLLECTIVES:
            return self._collective(func, args, kwargs)
        return self._record(func, args, kwargs, operands)

    def _packed(self, input, lengths, batch_first):
        with self:
            data, sizes = pack_padded_sequence(input, lengths, batch_first)
        with unset_fake_temporarily():
            return data, torch.tensor(sizes, device="cpu")

    def _collective(self, func, args, kwargs):
        received, sent = (list(kernels.tensors_in(args[at])) for at in kernels.COLLECTIVES[kernels.kernel_name(func)])
        self.live.see(sent + received)
        numbers = None if self._reader is None else [self._operand(tensor) for tensor in sent]
        result = func(*args, **kwargs)
        if not self.paused:
            self.kernels.append(self._kernel(func, args, kwargs, sent, received, [], received, result, numbers))
        return result

    def _record(self, func, args, kwargs, operands):
        key = key_of(func, args, kwargs) if self._reader is not None and can_keep(func, kernels.kernel_name(func)) else None
        if key is not None:
            plan = self._plans.get(key.found_by)
            if plan is not None:
                return self._repeat(plan, key, func, args, kwargs)
            if plan is None and key.found_by in self._plans:
                key = None
        self.live.see(operands)
        numbers = None
        if self._reader is not None:
            args, kwargs = self._faked(args, kwargs, operands)
            operands = list(kernels.tensors_in((args, kwargs)))
            numbers = [self._operand(tensor) for tensor in operands]
        result = self._run(func, args, kwargs, operands)
        outputs = list(kernels.tensors_in(result))
        self.live.see(outputs)
        targets = kernels.mutated(func, args, kwargs)
        name = kernels.kernel_name(func)
        if self._reader is not None:
            values.follow(func, args, kwargs, operands, targets, name, result)
            if self._even and func is aten.topk.default and values.known(result[1]) is None:
                self._route_evenly(result[1], args)
        known = {kernels.storage_key(tensor) for tensor in operands}
        made = [tensor for tensor in outputs if kernels.storage_key(tensor) not in known]
        kernel = None
        if made or targets:  # else a view
            kernel = self._kernel(func, args, kwargs, operands, outputs, targets, made + targets, result, numbers)
            if not self.paused:
                self.kernels.append(kernel)
        if key is not None:
            self._keep(key, key_of(func, args, kwargs), result, outputs, targets, made + targets, kernel)
        if made and func is aten._to_copy.default and result.device.type == "cpu":
            return self._copied_to_host(name, result)
        return result

    def _keep(self, key, after, result, outputs, targets, written, kernel):
        """How to do the same again, if nothing but results came of it."""
        plan = None
        if after is not None and after.found_by == key.found_by and not (kernel is not None and _copied(kernel, outputs)):
            plan = plan_of(key, result, targets)
        if plan is not None and kernel is not None:
            of_inputs = [(place, tensor) for place, tensor in enumerate(key.operands) if kernels.describe(tensor)]
            places = {id(tensor): place for place, tensor in enumerate([*key.operands, *outputs])}
            of_outputs = [(places[id(tensor)], tensor) for tensor in written
                          if kernels.describe(tensor) and tensor.untyped_storage().nbytes()]
            plan.row = Row([_around(*pair) for pair in of_inputs], [_around(*pair) for pair in of_outputs], kernel)
        self._plans[key.found_by] = plan

    def _repeat(self, plan, key, func, args, kwargs):
        """The operation as its plan says."""
        live = self.live
        live.see_all(key.operands, key.cells)
        made = self._fakes.results(plan, key)
        outputs = [tensor for tensor in made if tensor is not None]
        result = made[0] if plan.container is None else plan.container(made)
        targets = [key.operands[place] for place in plan.targets]
        live.see(outputs)
        name = kernels.kernel_name(func)
        values.follow(func, args, kwargs, key.operands, targets, name, result)
        row = plan.row
        if row is None or self.paused:
            return result
        tensors = [*key.operands, *outputs]
        like = row.kernel
        scope, section, modules = self.scopes.where()
        number = live.number
        self.kernels.append(Kernel(
            like.name, scope, [[*before, number(tensors[place]), *after] for place, before, after in row.inputs],
            [[*before, number(tensors[place]), *after] for place, before, after in row.outputs], like.flops, like.read,
            like.write, live.bytes - self.live_at_start, modules, section, like.launched, like.extra))
        return result

    def _kernel(self, func, args, kwargs, operands, outputs, targets, written, result, numbers):
        name = kernels.kernel_name(func)
        launched = name not in kernels.EMPTY and any(tensor.numel() for tensor in written)
        describe = kernels.describe if self._reader is None else self._operand
        listed = [describe(tensor) for tensor in written if tensor.untyped_storage().nbytes()]
        scope, section, modules = ("", "", ()) if self.paused else self.scopes.where()
        return Kernel(
            name=name,
            scope=scope,
            inputs=[row for row in numbers or map(kernels.describe, operands) if row],
            outputs=[row for row in listed if row],
            flops=kernels.flops(func, args, kwargs, result),
            read=kernels.bytes_read(name, operands, targets, outputs) if launched else 0,
            write=sum(map(kernels.nbytes, written)) if launched else 0,
            live=self.live.bytes - self.live_at_start,
            modules=modules,
            section=section,
            launched=launched,
            extra=kernels.extras(func, args, kwargs) if self._reader is not None else {},
        )

    def _run(self, func, args, kwargs, operands):
        by_hand = MADE_BY_HAND.get(func)
        if by_hand is not None:
            return by_hand(*args, **kwargs)
        if func is aten.nonzero.default and self._host is not None:
            return torch.empty((self._host.nonzeros, args[0].dim()), dtype=torch.int64, device=args[0].device)
        args, kwargs = self._faked(args, kwargs, operands)
        if self._reader is None:
            return func(*args, **kwargs)
        try:
            return func(*args, **kwargs)
        except (DynamicOutputShapeException, DataDependentOutputException):
            return self._dependent(func, args, kwargs, operands)

    def _dependent(self, func, args, kwargs, operands):
        """The result of an operation whose shape, or which itself, is a question of values."""
        name = kernels.kernel_name(func)
        with unset_fake_temporarily():
            real = values.compute(func, args, kwargs, operands, name)
        if real is None:
            where, tensor = self.scopes.where()[0], operands[0]
            if func is aten.equal.default:
                return bool(self._reader.ask("scalar", name, tensor, where))
            if func is aten.nonzero.default:
                count = int(self._reader.ask("count", self._maker(), tensor, where))
                return torch.empty((count, tensor.dim()), dtype=torch.int64, device=tensor.device)
            if func is aten.masked_select.default:
                count = int(self._reader.ask("count", self._maker(), operands[1], where))
                return torch.empty((count,), dtype=tensor.dtype, device=tensor.device)
            raise RecordingError(f"how large the result of {name} is depends on values that do not follow from the inputs",
                                 line_running(), (f"in module {where!r}",) if where else ())

        def fake(tensor: torch.Tensor) -> torch.Tensor:
            made = torch.empty(tensor.shape, dtype=tensor.dtype, device=operands[0].device)
            values.attach(made, tensor)
            return made

        return torch.utils._pytree.tree_map_only(torch.Tensor, fake, real)

    def _scalar(self, tensor):
        if self._host is not None:
            return self._host.scalar(self._maker())
        real = values.known(tensor)
        if real is not None:
            with unset_fake_temporarily():
                return real.item()
        return self._reader.ask("scalar", self._maker(), tensor, self.scopes.where()[0])

    def _copied_to_host(self, name, result):
        if self._host is not None:
            return self._host.values(result)
        if self._reader is None:
            return result
        real = values.known(result)
        if real is not None:
            with unset_fake_temporarily():
                return real.clone()
        answer = self._reader.ask("values", self._maker(), result, self.scopes.where()[0], needed=False)
        return result if answer is None else self._reader.tensor(answer, result)

    def _route_evenly(self, places, args):
        scores, k, dim = args[0], args[1], args[2] if len(args) > 2 else -1
        if places.dim() and scores.shape[dim] <= values.MOST_FLOATS and places.numel() <= values.MOST_INTEGERS:
            values.attach(places, even_routing(scores, k, dim, places.shape))

    def _maker(self) -> str:
        """The kernel before the last that only moved what it made."""
        return self.kernels[-1].name if self.kernels else ""

    def _operand(self, tensor):
        number = self.live.number(tensor) if tensor.device.type == "cuda" else None
        return kernels.located(tensor, number)

    def _faked(self, args, kwargs, operands):
        if all(isinstance(tensor, FakeTensor) for tensor in operands):
            return args, kwargs
        return torch.utils._pytree.tree_map_only(torch.Tensor, self._as_fake, (args, kwargs))

    def _as_fake(self, tensor: torch.Tensor) -> torch.Tensor:
        if isinstance(tensor, FakeTensor):
            return tensor
        fake = self._fake_mode.from_tensor(tensor)
        if self._reader is not None and tensor.device.type == "cpu":
            values.attach(fake, tensor)
        return fake

    def _on_device(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor of a model made on `meta` that is neither parameter nor buffer: it lies on the device."""
        if tensor.device.type != "meta":
            return tensor
        found = tensor.__dict__.get(_ON_DEVICE)
        if found is None:
            with self._fake_mode:
                found = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cuda")
            tensor.__dict__[_ON_DEVICE] = found
        return found


def _copied(kernel: Kernel, outputs: list[torch.Tensor]) -> bool:
    """Whether it goes to the host, where somebody is asked for its values."""
    return kernel.name == "aten._to_copy" and outputs[0].device.type == "cpu"


def _around(place: int, tensor: torch.Tensor) -> tuple[int, list, list]:
    """A tensor's row in a record but for its storage's number."""
    row = kernels.located(tensor, None)
    return place, row[:2], row[3:]


def _only_composite(func) -> bool:
    found = _COMPOSITE.get(func)
    if found is None:
        has = torch._C._dispatch_has_kernel_for_dispatch_key
        found = has(func.name(), "CompositeImplicitAutograd") and not has(func.name(), "CUDA")
        _COMPOSITE[func] = found
    return found


_COMPOSITE: dict[Any, bool] = {}


def _on_host(operands: list[torch.Tensor], kwargs: dict) -> bool:
    if any(isinstance(tensor, FakeTensor) or tensor.device.type == "meta" for tensor in operands):
        return False
    return _wants_host(kwargs)


def _all_on_host(operands: list[torch.Tensor], kwargs: dict) -> bool:
    """Values of the device that nobody knows, copied to the host: work on them is the host's."""
    return bool(operands) and all(tensor.device == _HOST for tensor in operands) and _wants_host(kwargs)


def _wants_host(kwargs: dict) -> bool:
    device = kwargs.get("device")
    return device is None or torch.device(device).type == "cpu"


def record(fake_mode: FakeTensorMode, module: torch.nn.Module, forward: Callable[[], Any], inputs: Any,
           repeated: Iterable[str] = (), roots: Iterable[str] = ("",), host: Host | None = None) -> Recorder:
    """Run `forward()` of a module that is on the pretended device and record it.

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
