"""What a model reads back from the device, and who answers."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import torch
from torch._subclasses.fake_tensor import unset_fake_temporarily

from .errors import HostReadError, line_running


class Host:
    """Answers what the model reads back: fake tensors have no values."""

    nonzeros: int  # how many elements are not zero where the model asks for their places

    def scalar(self, kernel: str) -> bool | int | float:
        """The number made by the kernel of this name."""
        raise NotImplementedError

    def values(self, tensor: torch.Tensor) -> torch.Tensor:
        """A real tensor for one that was copied to the host."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class HostRead:
    """A question: what would the model read here?"""

    kind: str  # "scalar": a number; "values": a tensor's, as nested lists or a tensor; "count": how many are not zero
    kernel: str  # that made the tensor
    shape: tuple[int, ...]
    dtype: torch.dtype
    module: str  # where it runs
    line: str  # of the model's code, with its file and number
    call: int  # the how manieth question of this recording


Answers = Callable[[HostRead], Any]


class Reader:
    """Asks the caller's function; None from it, or no function, is an error that names the line."""

    def __init__(self, answers: Answers | None) -> None:
        self._answers = answers
        self._calls = 0
        self.given: list[dict] = []  # what was answered, for the record

    def ask(self, kind: str, kernel: str, tensor: torch.Tensor, module: str, needed: bool = True) -> Any:
        place = line_running()
        line = f"{place.file}:{place.line}: {place.text}" if place else ""
        read = HostRead(kind, kernel, tuple(tensor.shape), tensor.dtype, module, line, self._calls)
        self._calls += 1
        answer = None if self._answers is None else self._answers(read)
        if answer is not None:
            self.given.append({"kind": kind, "kernel": kernel, "scope": module,
                               "answer": answer if isinstance(answer, (bool, int, float)) else "values"})
            return answer
        if not needed:
            return None
        what = {"scalar": "a number", "values": "values", "count": "how many elements are not zero"}[kind]
        raise HostReadError(
            f"the model reads {what} back from the device, made by {kernel or 'nothing recorded'}, and what it is does "
            "not follow from the inputs", place,
            (*((f"in module {module!r}",) if module else ()),
             "answers=FUNCTION gives what it would read: FUNCTION(read) returns it for a HostRead, None where it doesn't know",
             "routing='even' answers where tokens are routed to experts"))

    def tensor(self, answer: Any, like: torch.Tensor) -> torch.Tensor:
        """The answer as a real tensor of the same shape and dtype."""
        with unset_fake_temporarily():
            real = torch.as_tensor(answer, dtype=like.dtype, device="cpu")
            if tuple(real.shape) != tuple(like.shape):
                raise HostReadError(f"answers gave values of shape {list(real.shape)} for {list(like.shape)}", line_running())
            return real.clone()


def even_routing(scores: torch.Tensor, k: int, dim: int, shape: torch.Size) -> torch.Tensor:
    """Places of `topk` that send the same number of rows to each expert, as nearly as can be; the first have one more."""
    with unset_fake_temporarily():
        experts = scores.shape[dim]
        rows = max(1, int(torch.Size(shape).numel()) // k) if k else 0
        places = (torch.arange(rows * k, device="cpu") % experts).reshape(rows, k)
        moved = [size for index, size in enumerate(shape) if index != dim % len(shape)]
        return places.reshape([*moved, k]).movedim(-1, dim).contiguous()
