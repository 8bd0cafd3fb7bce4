"""What goes wrong while a model is recorded, said with the line of the model that did it."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

from modelmeter._errors import Error, Place

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep


class RecordingError(Error):
    """A model can't be recorded: what is the matter (`message`), where (`place`, a line of the model), what helps (`notes`)."""

    def __init__(self, message: str, place: Sequence | None = None, notes: Sequence[str] = (), exit_code: int = 1,
                 shown: str | None = None) -> None:
        super().__init__(message, place, notes, exit_code, shown)

    def __str__(self) -> str:
        where = []
        if self.place is not None:
            where = [f"  {self.place.file}:{self.place.line}", *([f"  {self.place.text}"] if self.place.text else [])]
        return "\n".join([f"error: {self.message}", *where, *(f"note: {note}" for note in self.notes)])


class HostReadError(RecordingError):
    """The model reads a value back that nobody gave: fake tensors have none."""


def _of_model(path: str) -> bool:
    """Whether a file is neither ours nor of torch itself."""
    parts = path.replace("\\", "/").split("/")
    if path.startswith(_OWN) or path.startswith("<"):
        return False
    return "torch" not in parts[:-1] or "site-packages" not in parts


def _written(path: str, line: int) -> Place:
    return Place(path, line, 0, linecache.getline(path, line).strip())


def line_running() -> Place | None:
    """The innermost line of the model's own code that is running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _of_model(frame.f_code.co_filename):
            return _written(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


def line_raising(error: BaseException) -> Place | None:
    """The innermost line of the model's own code in an exception's traceback."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if _of_model(frame.f_code.co_filename):
            found = _written(frame.f_code.co_filename, line)
    return found
