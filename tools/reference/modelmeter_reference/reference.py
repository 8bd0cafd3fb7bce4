"""Records a case."""

from __future__ import annotations

import importlib
from pathlib import Path

from modelmeter.recording.attention import attention
from .case import Case
from modelmeter.recording.document import document
from modelmeter.recording.device import fake_cuda
from modelmeter.recording.recorder import record


def reference(case: Case, repositories: dict[str, Path]) -> dict:
    build = importlib.import_module(f".cases.{case.kind}", __package__).build
    with fake_cuda() as fake_mode, attention(case.attention):
        run = build(case, repositories)
        inputs, run.inputs = run.inputs, None
        with run.context:
            recorder = record(fake_mode, run.module, run.forward, inputs, run.repeated, run.roots, run.host)
        return document(run.head, run.module, recorder, run.repeated, run.roots)
