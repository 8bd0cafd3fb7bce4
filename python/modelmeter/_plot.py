"""Charts of a report, with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelmeter._errors import Error

if TYPE_CHECKING:
    from modelmeter._report import Report

# by: the column of a layer's row, how many base units the axis counts in, its title
_AXES = {
    "time": ("time_ms", 1, "ms"),
    "flops": ("flops_torch", 1e12, "TFLOP (torch)"),
    "bytes": ("bytes_moved", 1e12, "TB moved"),
    "memory": ("weight_bytes", 2**30, "weights, GiB"),
}


def plot(report: "Report", by: str | None, layers: int, ax: Any) -> Any:
    if by is None:
        by = "time" if report.timing is not None else "bytes"
    if by != "live" and by not in _AXES:
        raise Error(f"there is no plot by '{by}'", notes=[f"available: {', '.join(_AXES)}, live"])
    if by == "time" and report.timing is None:
        raise Error("this report has no times", notes=["analyze(…, device=NAME) gives them"])
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise Error("plot() takes matplotlib", notes=["pip install matplotlib"]) from None
    if ax is None:
        ax = plt.subplots(figsize=(9, max(2.5, 0.3 * layers)))[1]
    return _live(report, ax) if by == "live" else _bars(report, by, layers, ax)


def _bars(report: "Report", by: str, layers: int, ax: Any) -> Any:
    column, unit, title = _AXES[by]
    leaves = [row for row in report.rows("layers") if row["leaf"]]
    leaves.sort(key=lambda row: (-(row.get(column) or 0), row["module_id"]))
    shown = leaves[:layers][::-1]
    ax.barh([row["module_id"] for row in shown], [(row.get(column) or 0) / unit for row in shown])
    ax.set_xlabel(title)
    ax.set_title(report.report_id)
    return ax


def _live(report: "Report", ax: Any) -> Any:
    """Live memory over the kernels of the run, repetitions once."""
    at = 0
    for stage in report.memory["stages"]:
        values = [value / 2**30 for value in stage["live_bytes"]]
        ax.plot(range(at, at + len(values)), values, label=stage["stage"])
        at += len(values)
    ax.set_xlabel("kernel")
    ax.set_ylabel("live memory, GiB")
    ax.legend()
    return ax
