"""analyze(), fit(), compare(), verify(): what the commands of these names do."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import Any, Iterator, Sequence

from modelmeter import _core
from modelmeter._config import Config, compose
from modelmeter._errors import Error
from modelmeter._report import Report, Text
from modelmeter._tables import table

Overrides = Sequence[str]
_RECORDING = "_recording/any"  # the entry file whose model is a recording


@contextlib.contextmanager
def configured(config: Any, overrides: Overrides, **groups: str | None) -> Iterator[Config]:
    """The configuration with overrides, and with options of groups that were given. A recording is one of its own, whose
    model is a file; what record() gave is written into one for so long."""
    words = [overrides] if isinstance(overrides, str) else list(overrides)
    words += [f"{group}={os.fspath(option)}" for group, option in groups.items() if option is not None]
    if isinstance(config, Config):
        yield config.override(*words) if words else config
    elif isinstance(config, os.PathLike) or (isinstance(config, str) and config.endswith((".json", ".json.gz"))):
        yield _recorded(os.fspath(config), words)
    elif isinstance(config, str):
        yield compose(config, words)
    elif hasattr(config, "save"):
        with tempfile.TemporaryDirectory(prefix="modelmeter-recording-") as folder:
            path = os.path.join(folder, "recording.json.gz")
            config.save(path)
            yield _recorded(path, words)
    else:
        raise Error(
            f"{type(config).__name__} is no configuration and no recording",
            notes=["a name of config_names(), what compose() or record() gives, or a recording's file"],
        )


def _recorded(path: str, words: Overrides) -> Config:
    if not os.path.isfile(path):
        raise Error(f"there is no recording {path}")
    quoted = os.path.abspath(path).replace("'", "\\'")
    return compose(_RECORDING, [f"model.trace='{quoted}'", *words])


def analyze(
    config: Any,
    overrides: Overrides = (),
    *,
    device: str | None = None,
    host: str | None = None,
    stack: str | None = None,
) -> Report:
    """What a run costs, layer by layer.

    config: an entry file of configs/, what compose() or record() gives, or a recording's file (.json, .json.gz). device: one of configs/device, or a file of yours: then the
    report has times and energy.
    """
    with configured(config, overrides, device=device, host=host, stack=stack) as chosen:
        run = _core.Run(chosen._request)
    return Report(json.loads(run.report()), run)


class Comparison:
    """What differs between two reports."""

    def __init__(self, document: dict[str, Any], text: str) -> None:
        self._document = document
        self._text = text

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return self._document["inputs"]

    @property
    def totals(self) -> Any:
        return table(self._document["totals"])

    @property
    def layers(self) -> Any:
        """Every layer that differs."""
        return table(self._document["layers"])

    def to_dict(self) -> dict[str, Any]:
        return self._document

    def _repr_markdown_(self) -> str:
        return self._text

    def __str__(self) -> str:
        return self._text


def _document_of(report: Any) -> str:
    if isinstance(report, Report):
        return report.to_json()
    if isinstance(report, (str, os.PathLike)):
        return _core.read_report(os.fspath(report))
    return analyze(report).to_json()


def compare(a: Any, b: Any, *, layers: int = 20) -> Comparison:
    """What differs between two reports: inputs, totals, times, layers. Each is a Report, a report.json, a run's folder or
    id, or a recording or its file. layers: how many the text shows."""
    first, second = _document_of(a), _document_of(b)
    return Comparison(
        json.loads(_core.compare(first, second, True, layers)), Text(_core.compare(first, second, False, layers))
    )


class Fit:
    """Whether a run fits the memory of a device, and what makes it fit: what `modelmeter fit` says."""

    def __init__(self, document: dict[str, Any], text: str) -> None:
        self._document = document
        self._text = text

    @property
    def fits(self) -> bool:
        return self._document["fits"]

    @property
    def given(self) -> dict[str, Any]:
        """The run as it was asked for: its peaks, and where it ends if it does not fit."""
        return self._document["given"]

    @property
    def ways(self) -> list[dict[str, Any]]:
        """What to set so that it fits, fastest first: {"overrides": […], "total_time_s": …, …}."""
        return self._document["ways"]

    @property
    def smaller(self) -> list[dict[str, Any]]:
        """Smaller workloads that fit, the fastest way of each."""
        return self._document["smaller"]

    def to_dict(self) -> dict[str, Any]:
        return self._document

    def __bool__(self) -> bool:
        return self.fits

    def _repr_markdown_(self) -> str:
        return self._text

    def __str__(self) -> str:
        return self._text


def fit(
    config: Any,
    overrides: Overrides = (),
    *,
    device: str | None = None,
    memory: str | int | None = None,
    alloc_conf: str = "",
    max_frames: bool = False,
    max_size: bool = False,
) -> Fit:
    """Whether a run fits, as PyTorch's allocator would have it, and if not, what to set.

    device: one of configs/device; memory: "24GiB", or bytes, without a device or in place of its own. alloc_conf:
    PYTORCH_CUDA_ALLOC_CONF. max_frames, max_size: also the most frames, the largest video, that fit.
    """
    size = "" if memory is None else f"{memory}B" if isinstance(memory, int) else memory
    if memory is not None and not size.strip():
        raise Error("memory: a size with its unit", notes=["for example memory='24GiB'"])
    with configured(config, overrides, device=device) as chosen:
        document, text = _core.fit(chosen._request, size, alloc_conf, max_frames, max_size)
    return Fit(json.loads(document), text)


def verify(*recordings: str | os.PathLike, trace: str | os.PathLike = "") -> dict[str, Any]:
    """Compares our trace, or that of another recording's file, with recordings of the real code, kernel by kernel:
    {"equal", "references"}."""
    return json.loads(_core.verify([os.fspath(file) for file in recordings], os.fspath(trace)))
