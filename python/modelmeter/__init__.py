"""What running a generative model costs, layer by layer, before anyone rents a GPU.

    import modelmeter as mm
    report = mm.analyze("wan2_1_t2v_14b", ["workload.num_frames=81"], device="h100_sxm")
    report.totals["flops_torch"], report.timing["total"]["wall_s"]

Nothing here imports torch but record() and summary(), when they are called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelmeter._config import Config, compose, config_names
    from modelmeter._errors import Error, Place
    from modelmeter._machines import Answer, calibrate, devices, sensitivity, validate
    from modelmeter._report import (
        AnalyticModuleNode,
        BaseLayer,
        Figures,
        ModuleMetricsSnapshot,
        OperatorCategory,
        OperatorMetrics,
        OperatorSpec,
        Report,
        StageCost,
        TargetOperatorList,
    )
    from modelmeter._run import Comparison, Fit, analyze, compare, fit, verify
    from modelmeter._sweep import Sweep, sweep
    from modelmeter.recording import Recorder, Recording, RecordingError, record, record_training_step, summary

# Where each public name is; a module is imported when one of its names is asked for.
_MODULES = {
    "modelmeter._config": ("Config", "compose", "config_names"),
    "modelmeter._errors": ("Error", "Place"),
    "modelmeter._machines": ("Answer", "calibrate", "devices", "sensitivity", "validate"),
    "modelmeter._report": (
        "AnalyticModuleNode",
        "BaseLayer",
        "Figures",
        "ModuleMetricsSnapshot",
        "OperatorCategory",
        "OperatorMetrics",
        "OperatorSpec",
        "Report",
        "StageCost",
        "TargetOperatorList",
    ),
    "modelmeter._run": ("Comparison", "Fit", "analyze", "compare", "fit", "verify"),
    "modelmeter._sweep": ("Sweep", "sweep"),
    "modelmeter.recording": ("Recorder", "Recording", "RecordingError", "record", "record_training_step", "summary"),
}
_NAMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted([*_NAMES, "__version__", "load"])


def load(name: Any) -> "Report":
    """Reads a report: a report.json, the folder of a run, or the id of one in tmp/profile-output."""
    from modelmeter._report import Report

    return Report.load(name)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from modelmeter import _core

        return _core.version
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module 'modelmeter' has no attribute '{name}'")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
