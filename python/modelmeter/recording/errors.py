"""What goes wrong while a model is recorded, said with the line of the model that did it."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from types import FrameType

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep


class RecordingError(Exception):
    """A model can't be recorded: what is the matter (`message`), where (`place`), what helps (`notes`)."""

    def __init__(self, message: str, place: str = "", notes: tuple[str, ...] = ()) -> None:
        self.message, self.place, self.notes = message, place, tuple(notes)
        super().__init__("\n".join([message, *([f"  at {place}"] if place else []), *(f"  {note}" for note in notes)]))


class HostReadError(RecordingError):
    """The model reads a value back that nobody gave: fake tensors have none."""


def _of_model(path: str) -> bool:
    """Whether a file is neither ours nor of torch itself."""
    parts = path.replace("\\", "/").split("/")
    if path.startswith(_OWN) or path.startswith("<"):
        return False
    return "torch" not in parts[:-1] or "site-packages" not in parts


def _written(path: str, line: int, module: str) -> str:
    text = linecache.getline(path, line).strip()
    return f"{path}:{line}" + (f": {text}" if text else "") + (f" (in module {module!r})" if module else "")


def line_running(module: str = "") -> str:
    """The innermost line of the model's own code that is running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _of_model(frame.f_code.co_filename):
            return _written(frame.f_code.co_filename, frame.f_lineno, module)
        frame = frame.f_back
    return ""


def line_raising(error: BaseException, module: str = "") -> str:
    """The innermost line of the model's own code in an exception's traceback."""
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if _of_model(frame.f_code.co_filename):
            found = _written(frame.f_code.co_filename, line, module)
    return found
