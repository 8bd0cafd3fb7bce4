"""A report as a notebook shows it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from modelmeter._report import Report


def scaled(value: float | None, unit: str) -> str:
    """With a prefix of 1000: "652.344 PFLOP"."""
    if value is None:
        return "-"
    for prefix in ("", "k", "M", "G", "T", "P", "E"):
        if abs(value) < 1000 or prefix == "E":
            return f"{value:,.3f} {prefix}{unit}" if prefix else f"{value:,.0f} {unit}"
        value /= 1000
    raise AssertionError


def gibibytes(value: float | None) -> str:
    return "-" if value is None else f"{value / 2**30:,.3f} GiB"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return (
        f"<table><thead>{line(header, 'th')}</thead><tbody>" + "".join(line(row, "td") for row in rows) + "</tbody></table>"
    )


def report_html(report: "Report") -> str:
    totals, forward = report.totals, report.per_forward
    rows = [
        ["FLOPs (torch)", scaled(totals["flops_torch"], "FLOP"), scaled(forward["flops_torch"], "FLOP")],
        ["Bytes moved", scaled(totals["bytes_moved"], "B"), scaled(forward["bytes_moved"], "B")],
        ["Kernels", f"{totals['kernels']:,}", f"{forward['kernels']:,}"],
        ["Parameters", f"{totals['parameters']:,}", f"{forward['parameters']:,}"],
        ["Weights", gibibytes(totals["weight_bytes"]), gibibytes(forward["weight_bytes"])],
        ["Activation peak", gibibytes(totals["activation_peak_bytes"]), gibibytes(forward["activation_peak_bytes"])],
        ["Peak live memory", gibibytes(totals["peak_live_bytes"]), gibibytes(forward["peak_live_bytes"])],
    ]
    timing = report.timing
    if timing is not None:
        rows.append([f"Time on {timing['device']}", f"{timing['total']['wall_s']:,.3f} s", f"{timing['forward']['wall_ms']:,.1f} ms"])
    key, title = ("time_ms", "ms") if timing is not None else ("bytes_moved", "TB moved")
    leaves = sorted((r for r in report.rows("layers") if r["leaf"]), key=lambda r: (-(r.get(key) or 0), r["module_id"]))[:10]
    layers = [
        [r["module_id"], r["class"].rsplit(".", 1)[-1], f"{r['flops_torch'] / 1e12:,.3f}", f"{r['bytes_moved'] / 1e12:,.3f}"]
        + ([f"{r['time_ms']:,.1f}"] if timing is not None else [])
        for r in leaves
    ]
    header = ["Layer", "Class", "TFLOP", "TB moved"] + (["ms"] if timing is not None else [])
    return (
        f"<h4>{escape(report.report_id)}</h4>"
        + _table(["", "whole run", "one forward"], rows)
        + f"<p>The layers with the most {escape(title)}:</p>"
        + _table(header, layers)
    )
