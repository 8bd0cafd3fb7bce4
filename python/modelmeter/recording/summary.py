"""A model module by module: parameters, FLOPs, what it returns, bytes moved, memory alive; and its time on a device."""

from __future__ import annotations

from typing import Any, TextIO

import torch

from .recording import Recording
from .session import record

_HEADERS = ("module", "output", "parameters", "FLOPs", "MACs", "read + written", "peak live", "kernels")


class Summary:
    """The table that `summary()` prints. `rows` has a dict for each module, `totals` the sums."""

    def __init__(self, recording: Recording, depth: int, seconds: float | None = None, device: str | None = None) -> None:
        self.recording = recording
        self.seconds, self.device = seconds, device
        totals = recording.totals
        self.totals = {
            "parameters": totals["params"], "parameter_bytes": totals["param_bytes"],
            "trainable_parameters": recording.document.get("trainable", totals["params"]),
            "flops": totals["flops"], "full_flops": recording.full_flops, "macs": totals["flops"] // 2,
            "bytes": totals["read"] + totals["write"], "kernels": totals["kernels"], "peak_bytes": totals["peak_live"], "seconds": seconds}
        self.rows = [self._row(module) for module in _all_modules(recording) if _level(module["name"]) <= depth]

    def _row(self, module: dict[str, Any]) -> dict[str, Any]:
        return {"name": module["name"], "class": module["class"], "calls": module["calls"],
                "output": [shape for shape, _ in module.get("output", ())], "parameters": module["params"],
                "flops": module["flops"], "macs": module["flops"] // 2, "bytes": module["read"] + module["write"],
                "peak_bytes": self.recording.totals["live_at_start"] + module.get("peak_live", 0),
                "kernels": module["kernels"]}

    def __str__(self) -> str:
        table = [_HEADERS]
        for row in self.rows:
            last = row["name"].rpartition(".")[2]
            name = "  " * _level(row["name"]) + (f"{last} ({row['class']})" if last else row["class"])
            name += f" x{row['calls']}" if row["calls"] > 1 else ""
            table.append((name, " ".join("x".join(map(str, shape)) or "1" for shape in row["output"][:2]),
                          f"{row['parameters']:,}", _short(row["flops"], "FLOP"), _short(row["macs"], "MAC"),
                          _short(row["bytes"], "B"), _short(row["peak_bytes"], "B"), str(row["kernels"])))
        widths = [max(len(row[column]) for row in table) for column in range(len(_HEADERS))]
        line = "  ".join("-" * width for width in widths)
        lines = [line, _line(table[0], widths), line, *(_line(row, widths) for row in table[1:]), line]
        totals = self.totals
        lines += [
            f"parameters      {totals['parameters']:,} ({_short(totals['parameter_bytes'], 'B')}), "
            f"{totals['trainable_parameters']:,} trainable",
            f"FLOPs           {totals['flops']:,} (a multiply-add is 2): {totals['macs']:,} MACs",
            *(f"  and           {flops:,} FLOPs of {kernel}, which torch.utils.flop_counter has no formula for"
              for kernel, flops in self.recording.uncounted.items()),
            f"bytes moved     {totals['bytes']:,} in {totals['kernels']:,} kernels",
            f"peak live       {totals['peak_bytes']:,} bytes, of them {self.recording.totals['live_at_start']:,} at the start"]
        if self.seconds is not None:
            lines.append(f"time            {self.seconds * 1e3:.3f} ms on {self.device}")
        return "\n".join([*lines, line])

    def _repr_html_(self) -> str:
        import html

        return f"<pre>{html.escape(str(self))}</pre>"


def summary(model: torch.nn.Module, *args: Any, depth: int = 3, device: str | None = None, file: TextIO | None = None,
            show: bool = True, **kwargs: Any) -> Summary:
    """Record one forward and print it module by module, down to `depth`.

    `device` names one of modelmeter's ("h100_sxm") and adds the time of the forward there. The other arguments are those
    of record(). Returned is what was printed: `.rows`, `.totals`, `.recording`; `show=False` prints nothing.
    """
    recording = record(model, *args, **kwargs)
    recording.document["trainable"] = sum(value.numel() for value in model.parameters() if value.requires_grad)
    seconds = None if device is None else _seconds(recording, device)
    made = Summary(recording, depth, seconds, device)
    if show:
        print(made, file=file)
    return made


def _seconds(recording: Recording, device: str) -> float:
    """By the time model of modelmeter's library."""
    import modelmeter

    return float(modelmeter.analyze(recording, device=device).timing["total"]["wall_s"])


def _all_modules(recording: Recording) -> list[dict[str, Any]]:
    """The modules in order, with those that were left out because they ran the same as an earlier one."""
    document = recording.document
    same = {row["section"]: row["same_as"] for row in document["sections"]
            if "same_as" in row and "#" not in row["section"] and "#" not in row["same_as"]}
    rows: list[dict[str, Any]] = []
    for module in document["modules"]:
        rows.append(module)
    by_first: dict[str, list[str]] = {}
    for section, first in same.items():
        by_first.setdefault(first, []).append(section)
    for first, copies in by_first.items():
        block = [row for row in rows if row["name"] == first or row["name"].startswith(first + ".")]
        at = rows.index(block[-1]) + 1
        rows[at:at] = [{**row, "name": copy + row["name"][len(first):]} for copy in copies for row in block]
    return rows


def _level(name: str) -> int:
    return len(name.split(".")) if name else 0


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2])]
    return "  ".join([*left, *(cell.rjust(width) for cell, width in zip(cells[2:], widths[2:]))]).rstrip()


def _short(value: int, unit: str) -> str:
    for scale, prefix in ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= scale:
            return f"{value / scale:.4g} {prefix}{unit}"
    return f"{value} {unit}"
