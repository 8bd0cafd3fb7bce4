"""diffusers' WanVACETransformer3DModel: the DiT with a control branch."""

from __future__ import annotations

from pathlib import Path

from ..case import Case, Run
from .wan_diffusers import run


def build(case: Case, repositories: dict[str, Path]) -> Run:
    return run(case, "WanVACETransformer3DModel")
