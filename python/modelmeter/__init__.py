"""What running a generative model costs, layer by layer, before anyone rents a GPU.

    import modelmeter as mm
    report = mm.analyze("wan2_1_t2v_14b", ["workload.num_frames=81"], device="h100_sxm")
    report.totals["flops_torch"], report.timing["total"]["wall_s"]

Nothing here imports torch but record() and summary(), when they are called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Where each public name is; a module is imported when one of its names is asked for.
_NAMES = {
    "record": "modelmeter.recording",
    "summary": "modelmeter.recording",
    "Recording": "modelmeter.recording",
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module 'modelmeter' has no attribute '{name}'")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
