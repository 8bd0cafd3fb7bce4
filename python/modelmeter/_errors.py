"""modelmeter.Error: what ends a request."""

from __future__ import annotations

from typing import NamedTuple, Sequence


class Place(NamedTuple):
    """Where in a user's text something stands; line and column count from 1, 0 is unknown."""

    file: str
    line: int
    column: int
    text: str


class Error(Exception):
    """What is wrong with a request. str() is what the command line prints."""

    message: str
    place: Place | None
    notes: list[str]
    exit_code: int  # the command's: 1 wrong or failed, 2 usage, 3 it does not fit, 70 a fault of modelmeter

    def __init__(
        self,
        message: str,
        place: Sequence | None = None,
        notes: Sequence[str] = (),
        exit_code: int = 1,
        shown: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = Place(*place) if place is not None else None
        self.notes = list(notes)
        self.exit_code = exit_code
        self._shown = shown

    def __str__(self) -> str:
        if self._shown is not None:
            return self._shown
        return "\n".join([f"error: {self.message}", *(f"note: {note}" for note in self.notes)])

    def __reduce__(self):
        place = tuple(self.place) if self.place is not None else None
        return type(self), (self.message, place, self.notes, self.exit_code, self._shown)
