"""The report of a run, with the forerunner's names.

Figures are integers in base units (FLOP, bytes); `*_tflops`, `*_tb` and `*_gb` are floats of 1e12 FLOP, 1e12 and 1e9 bytes.
"""

from __future__ import annotations

import difflib
import json
import os
from dataclasses import dataclass, field, fields
from typing import Any, Mapping, Sequence

from modelmeter import _core
from modelmeter._errors import Error
from modelmeter._tables import table


class Figures(dict):
    """The figures of a layer, a stage or a run by their names in report.json; also read by attribute."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            near = difflib.get_close_matches(name, self, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise AttributeError(f"there is no figure '{name}'{hint}") from None

    @property
    def arithmetic_intensity(self) -> float:
        """FLOP (full) per byte moved; 0 where nothing moves."""
        return self["flops_full"] / self["bytes_moved"] if self["bytes_moved"] else 0.0


class Text(str):
    """Markdown: a notebook shows it as such."""

    def _repr_markdown_(self) -> str:
        return str(self)


def _read(kind: type, values: Mapping[str, Any]) -> Any:
    return kind(**{f.name: values[f.name] for f in fields(kind) if f.name in values})


@dataclass(frozen=True)
class OperatorCategory:
    category_id: str
    display_name: str
    description: str
    match_classes: list[str]


@dataclass(frozen=True)
class OperatorMetrics:
    category_id: str
    calls: int
    flops_tflops: float
    io_tb: float
    share_of_module_flops: float


@dataclass(frozen=True)
class AnalyticModuleNode:
    module_id: str
    name: str
    qualified_class_name: str
    stage: str
    parent_id: str | None
    children: list[str]
    repetition: str
    repetition_count: int | None
    constructor_params: dict[str, int | float | str | bool]


@dataclass(frozen=True)
class ModuleMetricsSnapshot:
    """Of all calls and repetitions of a module. Times are None without a device."""

    module_id: str
    profile_id: str
    calls: int
    total_time_ms: float | None
    total_flops_tflops: float
    total_io_tb: float
    memory_weights_gb: float
    memory_activations_gb: float
    memory_kvcache_gb: float
    share_of_model_time: float | None
    share_of_model_flops: float
    operator_breakdown: list[OperatorMetrics] = field(repr=False)
    exact: Figures = field(repr=False)
    time: dict[str, Any] | None = None


@dataclass(frozen=True)
class OperatorSpec:
    class_name: str
    class_name_qualified: str
    is_pytorch_builtin: bool
    is_custom: bool
    children_classes: list[str]
    default_category_id: str


@dataclass(frozen=True)
class TargetOperatorList:
    snapshot_id: str
    operators: list[OperatorSpec]


class StageCost:
    """What a stage or a layer costs in the whole run, under the forerunner's names. Of the whole run: all its calls."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        self.exact = Figures(figures)

    @property
    def flops_tflops(self) -> float:
        """All arithmetic, TFLOP."""
        return self.exact["flops_full"] / 1e12

    @property
    def flops_tensor_tflops(self) -> float:
        return self.exact["flops_tensor"] / 1e12

    @property
    def flops_cuda_tflops(self) -> float:
        return self.exact["flops_vector"] / 1e12

    @property
    def io_tb(self) -> float:
        return self.exact["bytes_moved"] / 1e12

    @property
    def arithmetic_intensity(self) -> float:
        return self.exact.arithmetic_intensity

    @property
    def weights_gb(self) -> float:
        return self.exact["weight_bytes"] / 1e9

    @property
    def activations_gb(self) -> float:
        return self.exact["activation_peak_bytes"] / 1e9

    @property
    def kv_gb(self) -> float:
        return self.exact["kv_cache_bytes"] / 1e9

    def __repr__(self) -> str:
        return f"StageCost({self.flops_tflops:.6g} TFLOP, {self.io_tb:.6g} TB, weights {self.weights_gb:.6g} GB)"


class BaseLayer:
    """A layer of a report. Its forward_*() are exact integers in base units, of all its calls in the run."""

    def __init__(self, report: "Report", node: AnalyticModuleNode, metrics: ModuleMetricsSnapshot | None) -> None:
        self._report = report
        self.node = node
        self.metrics = metrics

    @property
    def module_id(self) -> str:
        return self.node.module_id

    @property
    def class_name(self) -> str:
        return self.node.qualified_class_name

    @property
    def children(self) -> list["BaseLayer"]:
        return [self._report.layer(name) for name in self.node.children]

    @property
    def cost(self) -> StageCost:
        return StageCost(self._exact())

    def _exact(self) -> Figures:
        if self.metrics is None:
            raise Error(f"{self.module_id}: reports of this family have figures of leaves alone")
        return self.metrics.exact

    def forward_tensor_core_flops(self) -> int:
        """Of matrix products, convolutions and attention."""
        return self._exact()["flops_tensor"]

    def forward_cuda_core_flops(self) -> int:
        """Of all other arithmetic."""
        return self._exact()["flops_vector"]

    def forward_cal_io(self) -> int:
        """Bytes read and written."""
        return self._exact()["bytes_moved"]

    def forward_arithmetic_intensity(self) -> float:
        """FLOP (full) per byte."""
        return self._exact().arithmetic_intensity

    def forward_memory_weight(self) -> int:
        return self._exact()["weight_bytes"]

    def forward_memory_activation(self) -> int:
        """The highest live memory above weights and inputs while it runs."""
        return self._exact()["activation_peak_bytes"]

    def forward_memory_kvcache(self) -> int:
        return self._exact()["kv_cache_bytes"]

    def explain(self) -> Text:
        return self._report.explain(self.module_id)

    def __repr__(self) -> str:
        return f"BaseLayer({self.module_id!r}, {self.class_name})"


class Report:
    """What a run costs, layer by layer. Made by analyze(); load() reads a report.json."""

    def __init__(self, document: Mapping[str, Any], run: "_core.Run | None" = None) -> None:
        self._document = document
        self._run = run
        self._memory: dict[str, Any] | None = None
        self._nodes: dict[str, BaseLayer] | None = None

    @classmethod
    def load(cls, name: str | os.PathLike) -> "Report":
        """A report.json, the folder of a run, or the id of one in tmp/profile-output."""
        return cls(json.loads(_core.read_report(os.fspath(name))))

    # --- what it is of

    @property
    def report_id(self) -> str:
        return self._document["report_id"]

    @property
    def family(self) -> str:
        return self._document["family"]

    @property
    def model(self) -> dict[str, Any]:
        return self._document["model"]

    @property
    def workload(self) -> dict[str, Any]:
        return self._document["workload"]

    @property
    def runtime(self) -> dict[str, Any]:
        return self._document["runtime"]

    @property
    def notes(self) -> list[str]:
        if self._run is not None:
            return self._run.notes()
        return self._document["notes"].splitlines()

    # --- figures

    @property
    def totals(self) -> Figures:
        """Of the whole run."""
        return Figures(self._document["totals"])

    @property
    def per_forward(self) -> Figures:
        """Of one forward of each stage."""
        return Figures(self._document["per_forward"])

    @property
    def layers(self) -> Any:
        """A row for each layer: pandas, else polars, else a list of dicts."""
        return table(self.rows("layers"))

    @property
    def stages(self) -> Any:
        """A row for each stage."""
        return table(self.rows("stages"))

    @property
    def timing(self) -> dict[str, Any] | None:
        """On the device: {"device", "host", "stack", "forward", "total", "stages"}; None without one."""
        return self._document.get("timing")

    @property
    def memory(self) -> dict[str, Any]:
        """What is on the device over the run, as `modelmeter memory --json`: stages, what is alive at the peak, the
        allocator."""
        if self._memory is None:
            self._memory = json.loads(self._needs_run().memory("", "", False))
        return self._memory

    def rows(self, what: str) -> list[dict[str, Any]]:
        """The rows of `layers` or `stages` as dicts, whatever is installed."""
        if what == "layers":
            return [self._layer_row(node) for node in self._layers().values()]
        if what == "stages":
            return [self._stage_row(stage) for stage in self._document["stages"]]
        raise Error(f"there are no rows of '{what}'", notes=["available: layers, stages"])

    def _layer_row(self, layer: BaseLayer) -> dict[str, Any]:
        node, metrics = layer.node, layer.metrics
        row: dict[str, Any] = {
            "module_id": node.module_id,
            "class": node.qualified_class_name,
            "stage": node.stage,
            "parent_id": node.parent_id,
            "leaf": not node.children,
            "repetition_count": node.repetition_count,
        }
        if metrics is None:
            return row
        row["calls"] = metrics.calls
        row.update({k: v for k, v in metrics.exact.items() if k != "peak_live_bytes"})
        row["share_of_model_flops"] = metrics.share_of_model_flops
        if metrics.time is not None:
            row.update(time_ms=metrics.total_time_ms, share_of_model_time=metrics.share_of_model_time, **metrics.time)
        return row

    def _stage_row(self, stage: Mapping[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {"stage": stage["stage"], "nested_in": stage["nested_in"], **stage["figures"]}
        if self.timing is not None:
            name = stage["stage"]
            parts = [s["total"] for s in self.timing["stages"] if s["stage"].split("/")[0] == name]
            for key in ("device_s", "wall_s", "joules"):
                values = [part.get(key) for part in parts]
                row[key] = sum(values) if values and None not in values else None
        return row

    # --- the forerunner's types

    @property
    def modules(self) -> list[AnalyticModuleNode]:
        return [layer.node for layer in self._layers().values()]

    @property
    def module_metrics(self) -> list[ModuleMetricsSnapshot]:
        return [layer.metrics for layer in self._layers().values() if layer.metrics is not None]

    @property
    def operator_categories(self) -> list[OperatorCategory]:
        return [_read(OperatorCategory, c) for c in self._document["operator_categories"]]

    def stage(self, name: str) -> StageCost:
        """What a stage costs: report.stage("diffusion").flops_tflops."""
        stages = {s["stage"]: s["figures"] for s in self._document["stages"]}
        return StageCost(stages[_known(name, stages, "stage")])

    def layer(self, module_id: str) -> BaseLayer:
        """A layer by its id: report.layer("diffusion/dit/block_00/attn").forward_tensor_core_flops()."""
        layers = self._layers()
        return layers[_known(module_id, layers, "layer")]

    def operators(self) -> TargetOperatorList:
        """The unique layer classes of the model."""
        document = json.loads(self._needs_run().operators())
        return TargetOperatorList(document["snapshot_id"], [_read(OperatorSpec, o) for o in document["operators"]])

    def _layers(self) -> dict[str, BaseLayer]:
        if self._nodes is None:
            metrics = {}
            for values in self._document["module_metrics"]:
                snapshot = dict(values)
                snapshot["operator_breakdown"] = [_read(OperatorMetrics, m) for m in values["operator_breakdown"]]
                snapshot["exact"] = Figures(values["exact"])
                metrics[values["module_id"]] = _read(ModuleMetricsSnapshot, snapshot)
            self._nodes = {}
            for values in self._document["modules"]:
                node = _read(AnalyticModuleNode, values)
                self._nodes[node.module_id] = BaseLayer(self, node, metrics.get(node.module_id))
        return self._nodes

    # --- as text

    def summary(self) -> Text:
        return Text(self._needs_run().summary())

    def tree(self, depth: int = 3, by: str | None = None, width: int = 160) -> Text:
        """The layers as torchinfo shows them, `depth` levels; by "flops", "bytes", "memory", "kernels" or "time" those
        with the most of it first."""
        return Text(self._needs_run().tree(depth, by or "", width))

    def explain(self, module_id: str = "") -> Text:
        """What a layer is, its forward, the formulas of its kernels with this run's numbers, and what they come to."""
        return Text(self._needs_run().explain(module_id))

    def top(self, by: str | None = None, layers: int = 10, categories: int = 5) -> dict[str, Any]:
        """The layers and categories with the most, as `modelmeter top --json`."""
        return json.loads(self._needs_run().top(by or "", layers, categories))

    def compare(self, other: "Report | str | os.PathLike") -> Any:
        from modelmeter._run import compare

        return compare(self, other)

    def to_dict(self) -> dict[str, Any]:
        return json.loads(self.to_json())

    def to_json(self) -> str:
        """The text of report.json."""
        if self._run is not None:
            return self._run.report()
        return json.dumps(self._document, indent=2, ensure_ascii=False)

    def save(self, folder: str | os.PathLike | None = None, *, layer_docs: bool = False) -> list[str]:
        """Writes report.json, summary.md and with layer_docs a page for each layer into a folder; without one where
        `modelmeter analyze` writes it. Gives the files' paths."""
        files = self._needs_run().save("" if folder is None else os.fspath(folder), layer_docs)
        self._document = json.loads(self._needs_run().report())
        return files

    # --- in a notebook

    def plot(self, by: str | None = None, layers: int = 15, ax: Any = None) -> Any:
        """The leaf layers with the most as bars, by "time", "flops", "bytes" or "memory" (time where there is a device,
        else bytes), with matplotlib. by="live": memory over the run."""
        from modelmeter._plot import plot

        return plot(self, by, layers, ax)

    def _repr_html_(self) -> str:
        from modelmeter._html import report_html

        return report_html(self)

    def __repr__(self) -> str:
        totals = self.totals
        return (
            f"Report({self.report_id!r}: {totals['flops_torch'] / 1e12:,.3f} TFLOP, "
            f"{totals['bytes_moved'] / 1e12:,.3f} TB moved)"
        )

    def _needs_run(self) -> "_core.Run":
        if self._run is None:
            raise Error(
                "this report was read from a file, which has no trace of the run",
                notes=["analyze() of its configuration gives one that has"],
            )
        return self._run


def _known(name: str, names: Mapping[str, Any] | Sequence[str], what: str) -> str:
    if name in names:
        return name
    near = difflib.get_close_matches(name, list(names), 1)
    raise Error(f"there is no {what} '{name}'", notes=[f"did you mean '{near[0]}'?"] if near else [])
