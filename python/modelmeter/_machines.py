"""devices(), sensitivity(), validate(), calibrate(): what the commands of these names say."""

from __future__ import annotations

import json
import os
from typing import Any, Sequence

from modelmeter import _core
from modelmeter._errors import Error
from modelmeter._report import Text
from modelmeter._run import Overrides, configured
from modelmeter._tables import table


class Answer:
    """What a command says: its JSON document, the same as text, and its rows as a table."""

    def __init__(self, document: dict[str, Any], text: str, rows: str) -> None:
        self._document = document
        self._text = Text(text)
        self._rows = rows

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self._document[self._rows]

    def table(self, kind: str | None = None) -> Any:
        """The rows as a pandas DataFrame, else one of polars, else a list of dicts."""
        return table(self.rows, kind)

    def to_dict(self) -> dict[str, Any]:
        return self._document

    def _repr_markdown_(self) -> str:
        return self._text

    def __str__(self) -> str:
        return self._text


def _answer(made: tuple[str, str], rows: str) -> Answer:
    return Answer(json.loads(made[0]), made[1], rows)


def devices(*names: str | os.PathLike) -> Answer:
    """The figures of these devices, each with its source; without names all that there are. A name is one of
    configs/device or a file of yours."""
    return _answer(_core.devices([os.fspath(name) for name in names]), "devices")


def sensitivity(
    config: Any,
    overrides: Overrides = (),
    *,
    device: str | None = None,
    host: str | None = None,
    stack: str | None = None,
) -> Answer:
    """By how much a run is shorter with a tenth more of each resource of its device."""
    with configured(config, overrides, device=device, host=host, stack=stack) as chosen:
        run = _core.Run(chosen._request)
    return _answer((run.sensitivity(True), run.sensitivity(False)), "resources")


def validate(
    *files: str | os.PathLike, device: str = "", config: str = "", overrides: Overrides = ()
) -> Answer:
    """Predicted times against the measured ones of these files: launches, forwards, kernels, logs of the allocator.

    device: where the files do not say which. config, overrides: what ran, where a file's name does not say it.
    """
    words = [overrides] if isinstance(overrides, str) else list(overrides)
    if words and not config:
        raise Error(f"'{words[0]}' goes with config=", exit_code=2)
    paths = [os.fspath(file) for file in files]
    return _answer(_core.validate(paths, device, config, words), "rows")


def calibrate(*files: str | os.PathLike, device: str) -> Answer:
    """A device's constants fitted on measurements of kernels on it: what `modelmeter calibrate` says."""
    return _answer(_core.calibrate([os.fspath(file) for file in files], device), "constants")
