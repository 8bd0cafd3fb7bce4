"""Which module is running, and which section of the record that is."""

from __future__ import annotations

import bisect
import contextlib
from typing import Any, Iterable

import torch

Place = tuple[str, str]  # the module that runs, and the section of the record


class Scopes:
    """The stack of modules that run.

    A section begins at a numbered module (`blocks.7`) and at each call of a module in `repeated` (`decoder#3`);
    sections within a section are not cut again. With `count_visits` a numbered module that runs again is a section of
    its own (`blocks.7#1`), as is its backward; without, as in references of one forward, it has the same name.

    Of operations in a backward pass, the module is the one whose forward made the gradient function: functions are
    numbered by PyTorch, and which numbers each module's forward made is kept.
    """

    def __init__(self, repeated: Iterable[str] = (), count_visits: bool = False) -> None:
        self.calls: dict[str, int] = {}
        self.owners: dict[int, str] = {}  # the module of a parameter, by its id()
        self.outputs: dict[str, list] = {}  # [shape, dtype] of each tensor that a module's first call returned
        self._repeated = set(repeated)
        self._count_visits = count_visits
        self._visits: dict[str, int] = {}
        self._stack: list[Place] = [("", "")]
        self._made_from: list[int] = [0]
        self._made_in: list[tuple[str, ...]] = [("",)]
        self._backward: tuple[str, str] = ("", "")  # the numbered module of the backward pass, and its section

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
        elif not section and _numbered(name):
            section = self._visit(name)
        self.calls[name] = self.calls.get(name, 0) + 1
        self._stack.append((name, section))
        self._note()

    def leave(self, output: Any = None) -> None:
        name = self._stack.pop()[0]
        if self._count_visits and name not in self.outputs:
            self.outputs[name] = [[list(tensor.shape), str(tensor.dtype)] for tensor in _returned(output)]
        self._note()

    def where(self) -> tuple[str, str, tuple[str, ...]]:
        """The scope, the section and the modules, outermost first, of an operation that runs now."""
        node = torch._C._current_autograd_node() if self._count_visits else None
        if node is None or len(self._stack) > 1:
            return self.name, self.section, self.names
        modules = self._made(node)
        inner = modules[-1]
        numbered = next((name for name in modules if _numbered(name)), "")
        if numbered != self._backward[0]:
            self._backward = numbered, self._visit(numbered) if numbered else ""
        return inner, self._backward[1], modules

    def restart(self) -> None:
        """Nothing has run yet."""
        self.calls.clear()
        self._visits.clear()
        self._backward = ("", "")

    def new_stage(self) -> None:
        self._backward = ("", "")

    @contextlib.contextmanager
    def following(self, module: torch.nn.Module, prefix: str = ""):
        """Within: the calls of the module and of those in it enter and leave their scopes."""
        handles = []
        for name, child in module.named_modules():
            full = ".".join(part for part in (prefix, name) if part)
            handles.append(child.register_forward_pre_hook(lambda *_, name=full: self.enter(name)))
            handles.append(child.register_forward_hook(lambda _, __, output: self.leave(output),
                                                       always_call=self._count_visits))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _visit(self, name: str) -> str:
        if not self._count_visits:
            return name
        visit = self._visits.get(name, 0)
        self._visits[name] = visit + 1
        return f"{name}#{visit}" if visit else name

    def _note(self) -> None:
        if self._count_visits and torch.is_grad_enabled():
            self._made_from.append(torch.autograd._get_sequence_nr())
            self._made_in.append(self.names)

    def _made(self, node) -> tuple[str, ...]:
        variable = getattr(node, "variable", None)
        if variable is not None:  # gradients of a parameter are accumulated
            owner = self.owners.get(id(variable), "")
            parts = owner.split(".") if owner else []
            return ("", *(".".join(parts[:length]) for length in range(1, len(parts) + 1)))
        return self._made_in[bisect.bisect_right(self._made_from, node._sequence_nr()) - 1]


def _returned(output: Any) -> list[torch.Tensor]:
    """The tensors of a module's result that are not in a cache or a deeper container."""
    if isinstance(output, torch.Tensor):
        return [output]
    values = output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else ()
    return [value for value in values if isinstance(value, torch.Tensor)]


def _numbered(name: str) -> bool:
    return name.rpartition(".")[2].isdigit()
