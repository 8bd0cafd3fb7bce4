"""A case: which code runs, with which sizes; and what a module of `cases/` makes of it."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import sys
import types
from pathlib import Path
from typing import Any, Callable

import torch

from modelmeter.recording.host import Host


#: The dtypes that a time step comes in, by their short names.
TIMESTEPS = {"f32": torch.float32, "i64": torch.int64}


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    kind: str  # the module of cases/ that runs it
    variant: str
    config: dict[str, Any]
    workload: dict[str, Any]
    attention: str = "flash"

    def changed(self, values: dict[str, Any]) -> "Case":
        """The case with other values: `config.KEY`, `workload.KEY`, `variant` or `attention`."""
        fields = {"config": dict(self.config), "workload": dict(self.workload)}
        for field, value in values.items():
            owner, _, key = field.partition(".")
            if key and owner in fields:
                fields[owner][key] = value
            elif field in ("variant", "attention"):
                fields[field] = value
            else:
                raise SystemExit(f"error: a case has no field {field!r}")
        return dataclasses.replace(self, **fields)


@dataclasses.dataclass
class Run:
    """What is recorded: a forward of a module, and the tensors its caller keeps."""

    module: torch.nn.Module
    forward: Callable[[], Any]
    inputs: Any
    head: dict[str, Any]  # the fields of the document that say what ran
    repeated: tuple[str, ...] = ()
    roots: tuple[str, ...] = ("",)  # the parts of the module that the forward uses
    host: Host | None = None  # answers what the model reads back
    context: contextlib.ExitStack = dataclasses.field(default_factory=contextlib.ExitStack)  # closed after the record


def head(case: Case, code: str, implementation: str, config: dict, workload: dict, attention: str | None = None,
         generation: str | None = None) -> dict:
    return {"code": code, "implementation": implementation, "attention": attention or case.attention,
            "variant": case.variant, **({"generation": generation} if generation else {}), "config": config,
            "workload": workload}


def latent_frames(num_frames: int, stride: int = 4) -> int:
    return (num_frames - 1) // stride + 1


def official(repository: Path, *names: str) -> list[types.ModuleType]:
    """Modules of `wan` in a checkout of an official repository, past the packages' own __init__.py files."""
    if not (repository / "wan" / "modules").is_dir():
        raise SystemExit(f"error: no wan/modules in {repository}: name a checkout of the official repository")
    for name in [name for name in sys.modules if name == "wan" or name.startswith("wan.")]:
        del sys.modules[name]  # both generations call themselves so
    for package in ("wan", "wan.modules", "wan.utils", "wan.distributed"):
        stub = types.ModuleType(package)
        stub.__path__ = [str(repository.joinpath(*package.split(".")))]
        sys.modules[package] = stub
    return [importlib.import_module(name) for name in names]
