"""The record as a document of the format "modelmeter.reference/1"."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Collection, Sequence
from typing import Any

import torch

from .kernels import DTYPES, nbytes
from .recorder import Kernel, Recorder
from .recording import SCHEMA

@dataclasses.dataclass
class Stage:
    """One of several forwards in a row, or a part of a training step: its kernels begin at `first`."""

    name: str
    first: int
    repeat: int = 1


def document(head: dict[str, Any], module: torch.nn.Module, recorder: Recorder, repeated: Sequence[str] = (),
             roots: Sequence[str] = ("",), stages: Sequence[Stage] = ()) -> dict:
    """The record. With `stages` also the storages that operands lie in, and when each was made and went."""
    groups = _groups(recorder.kernels, stages)
    sections, left_out = _sections(groups)
    more: dict[str, Any] = {}
    if stages:
        more["stages"] = [{"name": stage.name, "sections": sum(group.stage == index for group in groups),
                           "repeat": stage.repeat} for index, stage in enumerate(stages)]
        more["storages"] = [row if row[3] else row[:3] for row in recorder.live.storages]
        more["buffers"] = [[name, list(value.shape), DTYPES[value.dtype]] for name, value in module.named_buffers()
                           if value.dtype in DTYPES and not _under(name, left_out)]
        _number_locally(sections, groups)
    return {
        "schema": SCHEMA,
        **_with_weights(head, module, roots),
        "repeated": sorted(repeated),
        "torch": torch.__version__,
        "totals": _totals(module, recorder, roots),
        "modules": _modules(module, recorder, roots, left_out, bool(stages)),
        "parameters": [[name, list(value.shape), DTYPES[value.dtype]] for name, value in module.named_parameters()
                       if _under(name, roots) and not _under(name, left_out)],
        **more,
        "sections": sections,
    }


@dataclasses.dataclass
class _Group:
    """Kernels of one section, one after another."""

    section: str
    stage: int
    kernels: list[Kernel]


def _groups(kernels: list[Kernel], stages: Sequence[Stage]) -> list[_Group]:
    groups: list[_Group] = []
    following = [*(stage.first for stage in stages[1:]), len(kernels)] if stages else [len(kernels)]
    first = 0
    for index, last in enumerate(following):
        for section, group in itertools.groupby(kernels[first:last], key=lambda kernel: kernel.section):
            groups.append(_Group(section, index, list(group)))
        first = last
    return groups


def _number_locally(sections: list[dict], groups: list[_Group]) -> None:
    """Each section gets a list of its storages, and its operands give places in that."""
    for row, group in zip(sections, groups):
        places: dict[int, int] = {}
        for kernel in group.kernels:
            for operand in (*kernel.inputs, *kernel.outputs):
                if operand[2] is not None:
                    places.setdefault(operand[2], len(places))
        row["storages"] = list(places)
        if "ops" in row:
            row["ops"] = [_renumbered(kernel, places).row() for kernel in group.kernels]


def _renumbered(kernel: Kernel, places: dict[int, int]) -> Kernel:
    def operand(row: list) -> list:
        return row if row[2] is None else [*row[:2], places[row[2]], *row[3:]]

    return dataclasses.replace(kernel, inputs=[operand(row) for row in kernel.inputs],
                               outputs=[operand(row) for row in kernel.outputs])


def _with_weights(head: dict[str, Any], module: torch.nn.Module, roots: Sequence[str]) -> dict[str, Any]:
    """And, after the variant, the dtype that most parameters have."""
    counts: dict[str, int] = {}
    for name, value in module.named_parameters():
        if _under(name, roots):
            dtype = DTYPES.get(value.dtype, str(value.dtype))
            counts[dtype] = counts.get(dtype, 0) + value.numel()
    described = {}
    for key, value in head.items():
        described[key] = value
        if key == "variant" and counts:
            described["weights"] = max(counts, key=counts.get)
    return described


_SHORT = {str(dtype): name for dtype, name in DTYPES.items()}


def _sums(kernels: list[Kernel]) -> dict[str, int]:
    return {
        "flops": sum(kernel.flops for kernel in kernels),
        "read": sum(kernel.read for kernel in kernels),
        "write": sum(kernel.write for kernel in kernels),
        "kernels": sum(kernel.launched for kernel in kernels),
    }


def _totals(module: torch.nn.Module, recorder: Recorder, roots: Sequence[str]) -> dict:
    parameters = [value for name, value in module.named_parameters() if _under(name, roots)]
    sums = _sums(recorder.kernels)
    peak, at = 0, [0, ""]
    for index, kernel in enumerate(recorder.kernels):
        if kernel.live > peak:
            peak, at = kernel.live, [index, kernel.scope]
    return {
        "params": sum(value.numel() for value in parameters),
        "param_bytes": sum(map(nbytes, parameters)),
        "kernels": sums.pop("kernels"),
        **sums,
        "live_at_start": recorder.live_at_start,
        "peak_live": recorder.live_at_start + peak,
        "peak_at": at,
        "live_at_end": recorder.live_at_end,
    }


def _modules(module: torch.nn.Module, recorder: Recorder, roots: Sequence[str], left_out: set[str],
             detailed: bool) -> list[dict]:
    within: dict[str, list[Kernel]] = {}
    for kernel in recorder.kernels:
        for name in kernel.modules:
            within.setdefault(name, []).append(kernel)
    rows = []
    for name, child in module.named_modules():
        parameters = list(child.parameters())
        ran = within.get(name, [])
        if not _under(name, roots) or _under(name, left_out) or name and not parameters and not ran:
            continue
        more = {}
        if detailed:
            more = {"peak_live": max((kernel.live for kernel in ran), default=0),
                    "output": [[shape, _SHORT.get(dtype, dtype)] for shape, dtype in recorder.scopes.outputs.get(name, ())]}
        rows.append({
            "name": name,
            "class": type(child).__name__,
            "calls": recorder.scopes.calls.get(name, 0 if name else 1),
            "params": sum(value.numel() for value in parameters),
            "param_bytes": sum(map(nbytes, parameters)),
            **_sums(ran),
            **more,
        })
    return rows


def _sections(groups: list[_Group]) -> tuple[list[dict], set[str]]:
    """The kernels cut into sections, and the numbered modules that only repeat an earlier section."""
    rows: list[dict] = []
    left_out: set[str] = set()
    first_with: dict[str, str] = {}
    for group in groups:
        section, ran = group.section, group.kernels
        peak = max(kernel.live for kernel in ran)
        earlier = first_with.setdefault(_fingerprint(section, ran), section) if section else section
        if earlier == section:
            rows.append({"section": section, **_sums(ran), "peak_live": peak, "ops": [kernel.row() for kernel in ran]})
        else:
            rows.append({"section": section, "same_as": earlier, "peak_live": peak})
            if "#" not in section:
                left_out.add(section)
    return rows, left_out


def _fingerprint(section: str, ran: list[Kernel]) -> str:
    """What the section's kernels are but for the module's name, where operands lie, and the memory it found."""
    places: dict[int, int] = {}
    before = ran[0].live

    def operand(row: list) -> list:
        if len(row) < 3 or row[2] is None:
            return row
        return [*row[:2], places.setdefault(row[2], len(places)), *row[3:]]

    def told(kernel: Kernel) -> list:
        row = [kernel.name, kernel.scope.removeprefix(_module(section)), list(map(operand, kernel.inputs)),
               list(map(operand, kernel.outputs)), *kernel.row()[4:7], kernel.extra]
        if any(len(row) > 2 for row in kernel.inputs + kernel.outputs):
            row.append(kernel.live - before)
        return row

    return json.dumps(list(map(told, ran)))


def _module(section: str) -> str:
    return section.partition("#")[0]


def _under(name: str, modules: Collection[str]) -> bool:
    parts = name.split(".")
    return "" in modules or any(".".join(parts[:length]) in modules for length in range(1, len(parts) + 1))
