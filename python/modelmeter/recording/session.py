"""Recording: any code that runs models on the pretended device, one forward, or one step of training."""

from __future__ import annotations

import contextlib
import gc
import os
import re
from typing import Any, Callable, Iterator
from unittest import mock

import torch
import torch.utils.checkpoint
from torch._subclasses.fake_tensor import (DataDependentOutputException, DynamicOutputShapeException,
                                           UnsupportedFakeTensorException, UnsupportedOperatorException)

from . import values
from .attention import CHOSEN, chosen_attention
from .device import DEVICE, cudnn_layouts, fake_cuda, memory_questions
from .document import DTYPES, Stage, document
from .errors import RecordingError, line_raising, line_running
from .fast_path import fast_path
from .functions import framed
from .host import Answers, Host, Reader
from .placing import Placing, on_device
from .plans import Fakes
from .recorder import Recorder as _Recorder
from .recording import Recording
from .recurrent import without_cudnn
from .scopes import Scopes

OLDEST, NEWEST = (2, 4), (2, 15)
ATTENTION = tuple(CHOSEN)
ROUTING = (None, "even")


def check_version(version: str) -> None:
    """Refuse a PyTorch that the recorder was not tried with."""
    found = re.match(r"(\d+)\.(\d+)", version)
    number = (int(found[1]), int(found[2])) if found else (0, 0)
    if not OLDEST <= number <= NEWEST and os.environ.get("MODELMETER_ANY_TORCH") != "1":
        wanted = " to ".join(".".join(map(str, bound)) for bound in (OLDEST, NEWEST))
        raise RecordingError(f"PyTorch {version} is not one that recording was tried with; it needs {wanted}",
                             notes=(f'pip install "torch>={OLDEST[0]}.{OLDEST[1]},<{NEWEST[0]}.{NEWEST[1] + 1}"',
                                    "MODELMETER_ANY_TORCH=1 in the environment tries it all the same"))


class Recorder:
    """Within `with`: PyTorch runs on a device that is not there, and what it would launch is written down.

        with mm.Recorder(model) as r:
            x = torch.empty(1, 3, 224, 224, device="cuda")
            with r.stage("first"):
                model(x)
        r.recording.save("model.json.gz")

    Models are put on the device, unchanged but for that, and put back after. Gradients can be computed.
    `attention`: "auto" (as PyTorch chooses on Hopper: flash attention without a mask, cuDNN's with one, the
    memory-efficient one in float32), "flash" (the same where cuDNN's is not preferred: memory-efficient with a mask) or "math".
    `answers`: what the model reads back where it does not follow from the inputs (HostRead); a function or a Host.
    `routing`: "even" sends as many tokens to each expert where the code reads how many.
    """

    def __init__(self, *models: torch.nn.Module, attention: str = "auto", answers: Answers | Host | None = None,
                 routing: str | None = None, training: bool | None = None, repeated: tuple[str, ...] = (),
                 **named: torch.nn.Module) -> None:
        check_version(torch.__version__)
        _choice("attention", attention, ATTENTION)
        _choice("routing", routing, ROUTING)
        self.recording: Recording | None = None
        self._models = _models(models, named)
        self._attention, self._routing, self._training = attention, routing, training
        self._repeated = repeated
        self._host = answers if isinstance(answers, Host) else None
        self._reader = Reader(None if self._host else answers)
        self._stages: list[Stage] = []
        self._open = contextlib.ExitStack()
        self._variant = next((type(model).__name__ for model in self._models.values()), "code")
        self._inputs: list = []

    def __enter__(self) -> "Recorder":
        stack = self._open
        try:
            stack.enter_context(_in_order())
            mode = stack.enter_context(fake_cuda())
            mode._allow_unsafe_data_ptr_access = False  # a pointer of 0 for every tensor would be an answer, and wrong
            stack.enter_context(chosen_attention(self._attention))
            stack.enter_context(cudnn_layouts())
            stack.enter_context(without_cudnn())
            stack.enter_context(_uncompiled())
            stack.enter_context(framed())
            if self._training:
                stack.enter_context(mock.patch.object(torch.utils.checkpoint.CheckpointFunction, "apply", _reentrant))
            if self._routing is not None:
                stack.enter_context(values.following_routes())
            stack.enter_context(fast_path())
            fakes = Fakes(mode)
            self._placing = Placing(fakes)
            self.module = _whole(self._models)
            if self._training is not None:
                stack.enter_context(_training(self.module, self._training))
            stack.enter_context(on_device(self.module, self._placing))
            self._scopes = Scopes(self._repeated, count_visits=True)
            self._scopes.owners = {id(value): name.rpartition(".")[0] for name, value in self.module.named_parameters()}
            self._recorder = _Recorder(mode, self._scopes, self._host, self._reader, self._routing == "even",
                                       fakes)
            for name, model in self._models.items():
                stack.enter_context(self._scopes.following(model, name))
            stack.enter_context(memory_questions(lambda: self._recorder.live.bytes, lambda: self._recorder.live.peak))
            self._recorder.begin(self.module.parameters(), "parameter")
            self._recorder.begin(self.module.buffers(), "buffer")
            self._recorder.begin((value.grad for value in self.module.parameters() if value.grad is not None), "gradient")
            stack.enter_context(self._recorder)
            self._recorder.devices.hold(self.module.parameters())
        except BaseException:
            stack.close()
            raise
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._recorder.live.close()
            self._recorder.devices.release()
            self._open.close()
        explained = _explained(error) if error is not None else None
        if explained is not None and explained is not error:
            raise explained from error

    def place(self, value: Any) -> Any:
        """Tensors of the caller, in whatever holds them, as inputs that are on the device."""
        paused, self._recorder.paused = self._recorder.paused, True
        try:
            placed = self._placing.value(value)
        finally:
            self._recorder.paused = paused
        if self._recorder.kernels:
            self._recorder.live.tag(_tensors_within(placed), "input")
        else:
            self._recorder.begin(_tensors_within(placed), "input")
        return placed

    @contextlib.contextmanager
    def stage(self, name: str, repeat: int = 1) -> Iterator[None]:
        """Within: what runs is the stage of this name, which runs `repeat` times one after another."""
        if repeat < 1:
            raise RecordingError(f"stage {name!r} runs {repeat} times; it must be at least once")
        if not self._recorder.paused:
            self._begin_stage(name, repeat)
        yield
        if not self._recorder.paused:
            self._begin_stage("", 1)

    @contextlib.contextmanager
    def unrecorded(self) -> Iterator[None]:
        """Within: code runs and is not recorded; what it leaves was there before."""
        if self._recorder.kernels:
            raise RecordingError("only what comes before all that is recorded can be left out of a recording")
        self._recorder.paused = True
        try:
            yield
        finally:
            self._recorder.paused = False
            self._recorder.live.restart()
            self._scopes.restart()
            self._recorder.live_at_start = self._recorder.live.bytes

    def tag(self, value: Any, role: str) -> None:
        """What the tensors in `value` are kept for, as reports of memory name it: "kv cache"."""
        self._recorder.live.tag(_tensors_within(value), role)

    def optimizer(self, optimizer: torch.optim.Optimizer | Callable) -> torch.optim.Optimizer:
        """The optimizer with its parameters and state on the device, until the end; or one made of the parameters."""
        if not isinstance(optimizer, torch.optim.Optimizer):
            paused, self._recorder.paused = self._recorder.paused, True
            try:
                made = optimizer(self.module.parameters())
            finally:
                self._recorder.paused = paused
            if not self._recorder.kernels:
                self._recorder.begin(_tensors_within(made.state), "optimizer state")
            return made
        groups = [list(group["params"]) for group in optimizer.param_groups]
        state = dict(optimizer.state)
        of_model = set(map(id, self.module.parameters()))

        def restore() -> None:
            for group, params in zip(optimizer.param_groups, groups):
                group["params"] = params
            optimizer.state.clear()
            optimizer.state.update(state)

        self._open.callback(restore)
        for group in optimizer.param_groups:
            group["params"] = [self._placing.tensor(parameter) for parameter in group["params"]]
            if any(id(parameter) not in of_model for parameter in group["params"]):
                raise RecordingError("the optimizer has parameters that are not the model's")
        optimizer.state.clear()
        for parameter, kept in state.items():
            optimizer.state[self._placing.tensor(parameter)] = {
                key: value if key == "step" else self._placing.value(value) for key, value in kept.items()}
        self._recorder.begin(_tensors_within(optimizer.state), "optimizer state")
        return optimizer

    def _begin_stage(self, name: str, repeat: int) -> None:
        first = len(self._recorder.kernels)
        if self._stages and self._stages[-1].first == first:
            self._stages.pop()  # nothing ran in it
        if not self._stages and first:
            self._stages.append(Stage("", 0))
        self._stages.append(Stage(name, first, repeat))
        self._scopes.new_stage()

    def _finish(self) -> None:
        recorder = self._recorder
        recorder.live_at_end = recorder.live.bytes
        if self._stages and self._stages[-1].first == len(recorder.kernels):
            self._stages.pop()
        for index, stage in enumerate(self._stages):
            stage.name = stage.name or f"other {index}"
        self._tag_gradients()
        recorder.live.close()
        answers = {"answers": self._reader.given} if self._reader.given else {}
        routing = {"routing": self._routing} if self._routing else {}
        head = {"code": self._code(), "implementation": "pytorch",
                "attention": {"auto": "cudnn"}.get(self._attention, self._attention), "variant": self._variant,
                "config": {}, "workload": {"inputs": self._inputs, **routing, **answers}}
        with torch.utils._python_dispatch._disable_current_modes():
            self.recording = Recording(document(head, self.module, recorder, self._repeated,
                                                stages=self._stages or [Stage("forward", 0)]))

    def _code(self) -> str:
        kinds = [f"{type(model).__module__}.{type(model).__qualname__}" for model in self._models.values()]
        return ", ".join(kinds) or "code"

    def _tag_gradients(self) -> None:
        for parameter in self.module.parameters():
            if parameter.grad is not None:
                self._recorder.live.tag([parameter.grad], "gradient")

    def describe_inputs(self, args: tuple, kwargs: dict) -> None:
        """What the record says of its workload."""
        named = [*((str(index), value) for index, value in enumerate(args)), *kwargs.items()]
        self._inputs = [[name, list(value.shape), DTYPES.get(value.dtype, str(value.dtype))]
                        for name, value in named if isinstance(value, torch.Tensor)]


def record(model: torch.nn.Module, *args: Any, attention: str = "auto", autocast: torch.dtype | None = None,
           answers: Answers | Host | None = None, routing: str | None = None, repeated: tuple[str, ...] = (),
           **kwargs: Any) -> Recording:
    """One forward of an unmodified module, for inference: evaluation mode, no gradients.

    The model may be anywhere, on `meta` too; nothing of its size is allocated. Tensors among the arguments are on the
    device. `autocast` runs it under torch.autocast of that dtype. The rest: see Recorder.
    """
    with _explaining(), Recorder(model, attention=attention, answers=answers, routing=routing, training=False,
                                 repeated=repeated) as recorder:
        recorder.describe_inputs(args, kwargs)
        args, kwargs = recorder.place((args, kwargs))
        with torch.no_grad(), recorder.stage("forward"), _autocast(autocast):
            result = _model(recorder, model)(*args, **kwargs)
        recorder.tag(getattr(result, "past_key_values", None), "kv cache")
    return _done(recorder)


def record_training_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer | Callable,
                         loss_fn: Callable[[Any], torch.Tensor] | None, *args: Any, attention: str = "auto",
                         autocast: torch.dtype | None = None, answers: Answers | Host | None = None,
                         routing: str | None = None, steps_before: int = 1, **kwargs: Any) -> Recording:
    """One step of training: forward, `loss_fn(output).backward()`, the optimizer's step, gradients let go.

    `optimizer` is one of the model's parameters, or makes one (`torch.optim.AdamW`). Without `loss_fn` the loss is
    `output.loss`. So many `steps_before` run first, so that the optimizer has its state; 0 records the first step.
    """
    of_output = loss_fn or (lambda output: output.loss)
    with _explaining(), Recorder(model, attention=attention, answers=answers, routing=routing, training=True) as recorder:
        recorder.describe_inputs(args, kwargs)
        args, kwargs = recorder.place((args, kwargs))
        run = _model(recorder, model)
        placed = recorder.optimizer(optimizer)

        def step() -> None:
            with recorder.stage("forward"), _autocast(autocast):
                loss = of_output(run(*args, **kwargs))
            with recorder.stage("backward"):
                loss.backward()
            recorder._tag_gradients()
            with recorder.stage("optimizer"):
                placed.step()
                placed.zero_grad(set_to_none=True)
            recorder.tag(placed.state, "optimizer state")

        for _ in range(steps_before):
            with recorder.unrecorded():
                step()
        step()
    return _done(recorder)


def _done(recorder: Recorder) -> Recording:
    assert recorder.recording is not None
    return recorder.recording


def _model(recorder: Recorder, model: torch.nn.Module) -> torch.nn.Module:
    """What is called: of a compiled module, the one it was made from."""
    return next(iter(recorder._models.values()), model)


def _models(models: tuple, named: dict) -> dict[str, torch.nn.Module]:
    found: dict[str, torch.nn.Module] = {}
    for index, model in enumerate(models):
        found["" if len(models) == 1 and not named else f"model{index}"] = model
    found |= named
    for name, model in found.items():
        if not isinstance(model, torch.nn.Module):
            raise RecordingError(f"{name or 'the model'} is a {type(model).__name__}, not a torch.nn.Module")
        found[name] = getattr(model, "_orig_mod", model)  # of torch.compile: what it compiles
    return found


def _whole(models: dict[str, torch.nn.Module]) -> torch.nn.Module:
    if list(models) == [""]:
        return models[""]
    whole = torch.nn.Module()
    for name, model in models.items():
        whole.add_module(name, model)
    return whole


def _choice(what: str, value: Any, choices: tuple) -> None:
    if value not in choices:
        raise RecordingError(f"{what} is {value!r}; it can be {', '.join(map(repr, choices))}")


def _autocast(dtype: torch.dtype | None):
    return contextlib.nullcontext() if dtype is None else torch.autocast("cuda", dtype=dtype)


@contextlib.contextmanager
def _training(module: torch.nn.Module, training: bool) -> Iterator[None]:
    before = [(child, child.training) for child in module.modules()]
    try:
        module.train(training)
    except NotImplementedError:  # what torch.export made is of one kind
        if training:
            raise
    try:
        yield
    finally:
        for child, was in before:
            child.training = was


def _reentrant(*_: Any) -> None:
    raise RecordingError("a checkpoint with use_reentrant=True runs the engine within itself, which is not recorded",
                         line_running(), ("use_reentrant=False computes the same",))


@contextlib.contextmanager
def _uncompiled() -> Iterator[None]:
    """Within: functions of torch.compile run as they are written."""
    stance = getattr(torch.compiler, "set_stance", None)  # of PyTorch 2.6 and later
    with contextlib.nullcontext() if stance is None else stance("force_eager"):
        yield


@contextlib.contextmanager
def _in_order() -> Iterator[None]:
    """Within: only counting references lets go of objects, so that a record is the same each time; values that are
    followed are small, and computed by one thread."""
    enabled, threads = gc.isenabled(), torch.get_num_threads()
    gc.disable()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if enabled:
            gc.enable()


def _tensors_within(value: Any, depth: int = 8) -> Iterator[torch.Tensor]:
    """Tensors in what may be a container, a cache, an output or an optimizer's state."""
    if isinstance(value, torch.Tensor):
        if value.device.type == DEVICE.type:
            yield value
    elif depth and isinstance(value, dict):
        for item in list(value.values()):
            yield from _tensors_within(item, depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors_within(item, depth - 1)
    elif depth and hasattr(value, "__dict__") and not isinstance(value, (torch.nn.Module, type)):
        for item in list(value.__dict__.values()):
            yield from _tensors_within(item, depth - 1)


@contextlib.contextmanager
def _explaining() -> Iterator[None]:
    """What a forward raises comes with the line of the model."""
    try:
        yield
    except RecordingError:
        raise
    except Exception as error:
        raise RecordingError(f"the model raised {type(error).__name__}: {error}", line_raising(error)) from error


def _explained(error: BaseException) -> BaseException:
    """Errors of fake tensors, in the words of the one who records."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RecordingError):
            return cause
        if isinstance(cause, UnsupportedOperatorException):
            return RecordingError(f"{cause.func} has no rule for tensors without data", line_raising(error),
                                  ("torch.library.register_fake says what it returns",))
        if isinstance(cause, (DynamicOutputShapeException, DataDependentOutputException, UnsupportedFakeTensorException)):
            return RecordingError(f"{cause} depends on values, which fake tensors do not have", line_raising(error))
        cause = cause.__cause__ or cause.__context__
    text = str(error)
    if type(error).__module__.startswith("torch._dynamo"):
        return RecordingError("the model compiles a part of itself for the device", line_raising(error),
                              ("PyTorch 2.6 and later run such parts as they are written", text.splitlines()[0]))
    if "HigherOrderOperator" in text or "rule registered for HOP" in text:
        return RecordingError("a higher order operator (torch.cond, flex_attention …) is not recorded", line_raising(error),
                              ("write out what it stands for: an if, attention with a mask", text.splitlines()[0]))
    if any(words in text for words in ("NVIDIA driver", "CUDA driver", "hasPrimaryContext", "CUDA error")):
        return RecordingError("the model asks the CUDA driver for what the pretended device does not have", line_raising(error),
                              ("sparse and quantized tensors, torch.func's gradients and calls of cudaruntime are not recorded",
                               text.splitlines()[0]))
    if "data pointer" in text or "data_ptr" in text:
        return RecordingError("the model takes a tensor's data pointer, which tensors without data do not have",
                              line_raising(error), ("torch.library.custom_op and register_fake make an extension recordable",))
    if "device" in text and ("Expected all tensors" in text or "different devices" in text):
        return RecordingError("tensors on different devices meet", line_raising(error),
                              ("parameters, buffers and arguments are on the device; a tensor that the model keeps elsewhere is "
                               "not: register it as a buffer, or copy it in the forward", text.splitlines()[0]))
    return error
