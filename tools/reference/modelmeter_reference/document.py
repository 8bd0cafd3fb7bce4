"""The record as a document of the format "modelmeter.reference/1"."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Sequence
from typing import Any

import torch

from .kernels import DTYPES, nbytes
from .recorder import Kernel, Recorder

SCHEMA = "modelmeter.reference/1"


def document(head: dict[str, Any], module: torch.nn.Module, recorder: Recorder, repeated: Sequence[str] = (),
             roots: Sequence[str] = ("",)) -> dict:
    sections, left_out = _sections(recorder.kernels)
    return {
        "schema": SCHEMA,
        **_with_weights(head, module, roots),
        "repeated": sorted(repeated),
        "torch": torch.__version__,
        "totals": _totals(module, recorder, roots),
        "modules": _modules(module, recorder, roots, left_out),
        "parameters": [[name, list(value.shape), DTYPES[value.dtype]] for name, value in module.named_parameters()
                       if _under(name, roots) and not _under(name, left_out)],
        "sections": sections,
    }


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


def _modules(module: torch.nn.Module, recorder: Recorder, roots: Sequence[str], left_out: set[str]) -> list[dict]:
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
        rows.append({
            "name": name,
            "class": type(child).__name__,
            "calls": recorder.scopes.calls.get(name, 0 if name else 1),
            "params": sum(value.numel() for value in parameters),
            "param_bytes": sum(map(nbytes, parameters)),
            **_sums(ran),
        })
    return rows


def _sections(kernels: list[Kernel]) -> tuple[list[dict], set[str]]:
    """The kernels cut into sections, and the numbered modules that only repeat an earlier section."""
    rows: list[dict] = []
    left_out: set[str] = set()
    first_with: dict[str, str] = {}
    for section, group in itertools.groupby(kernels, key=lambda kernel: kernel.section):
        ran = list(group)
        peak = max(kernel.live for kernel in ran)
        fingerprint = json.dumps([[kernel.name, kernel.scope.removeprefix(_module(section)), *kernel.row()[2:7]]
                                  for kernel in ran])
        earlier = first_with.setdefault(fingerprint, section) if section else section
        if earlier == section:
            rows.append({"section": section, **_sums(ran), "peak_live": peak, "ops": [kernel.row() for kernel in ran]})
        else:
            rows.append({"section": section, "same_as": earlier, "peak_live": peak})
            if "#" not in section:
                left_out.add(section)
    return rows, left_out


def _module(section: str) -> str:
    return section.partition("#")[0]


def _under(name: str, modules: Collection[str]) -> bool:
    parts = name.split(".")
    return "" in modules or any(".".join(parts[:length]) in modules for length in range(1, len(parts) + 1))


def dumps(reference: dict) -> str:
    """Compact JSON, one line for each module, section and kernel."""

    def compact(value) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    head = {key: value for key, value in reference.items() if key not in ("modules", "sections")}
    parts = [f'"{key}":{compact(value)}' for key, value in head.items() if key != "parameters"]
    modules = ",\n".join(map(compact, reference["modules"]))
    parameters = ",".join(map(compact, reference["parameters"]))
    sections = []
    for section in reference["sections"]:
        row = compact({key: value for key, value in section.items() if key != "ops"})
        if "ops" in section:
            row = row[:-1] + ',"ops":[\n' + ",\n".join(map(compact, section["ops"])) + "]}"
        sections.append(row)
    return ("{" + ",".join(parts) + ',"modules":[\n' + modules + '],"parameters":[' + parameters + '],"sections":[\n'
            + ",\n".join(sections) + "]}\n")
