"""A recording: what ran, as a document of the format `modelmeter.reference/1`."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any, Callable, Iterator

from .errors import RecordingError

SCHEMA = "modelmeter.reference/1"


class Recording:
    """What PyTorch launched, kernel by kernel. `document` is all of it, docs/trace_format.md and docs/recordings.md describe it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Recording":
        """Read one that was saved."""
        try:
            data = Path(path).read_bytes()
            text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
            document = json.loads(text)
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise RecordingError(f"{path} can't be read: {error}") from error
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            found = document.get("schema") if isinstance(document, dict) else type(document).__name__
            raise RecordingError(f"{path}: its schema is {found!r}, not {SCHEMA!r}")
        return cls(document)

    def save(self, path: str | os.PathLike) -> Path:
        """Write it, whole or not at all; compressed where the name ends in .gz."""
        path = Path(path)
        data = dumps(self.document).encode("utf-8")
        if path.suffix == ".gz":
            data = gzip.compress(data, 9, mtime=0)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return path

    @property
    def totals(self) -> dict[str, Any]:
        return self.document["totals"]

    @property
    def flops(self) -> int:
        """As torch.utils.flop_counter counts: matrix products, convolutions, attention; a multiply-add is 2."""
        return self.totals["flops"]

    @property
    def uncounted(self) -> dict[str, int]:
        """FLOPs of products that torch.utils.flop_counter has no formula for, by kernel; once for each time a stage runs once."""
        found: dict[str, int] = {}
        for row in self.operations():
            of_inputs = _PRODUCTS.get(row[0])
            if of_inputs is not None and not row[4]:
                found[row[0]] = found.get(row[0], 0) + of_inputs(*(operand[0] for operand in row[2]))
        return found

    @property
    def full_flops(self) -> int:
        """Of all matrix products, convolutions and attention: `flops` and what is `uncounted`."""
        return self.flops + sum(self.uncounted.values())

    @property
    def parameters(self) -> int:
        return self.totals["params"]

    @property
    def peak_bytes(self) -> int:
        """The most that was alive at once: parameters, buffers, inputs, and what kernels made."""
        return self.totals["peak_live"]

    @property
    def kernels(self) -> int:
        return self.totals["kernels"]

    @property
    def modules(self) -> list[dict[str, Any]]:
        return self.document["modules"]

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Each stage with the sums of its kernels, once."""
        rows, sections = [], iter(self._sections())
        for stage in self.document.get("stages") or [{"name": "forward", "sections": len(self.document["sections"])}]:
            own = [next(sections) for _ in range(stage["sections"])]
            rows.append({"name": stage["name"], "repeat": stage.get("repeat", 1),
                         **{key: sum(row[key] for row in own) for key in ("flops", "read", "write", "kernels")},
                         "peak_bytes": self.totals["live_at_start"] + max((row["peak_live"] for row in own), default=0)})
        return rows

    def operations(self) -> Iterator[list]:
        """Every kernel's row, in order; repeated sections written out, with the names of the first that ran so."""
        written = {row["section"]: row["ops"] for row in self.document["sections"] if "ops" in row and row["section"]}
        for row in self.document["sections"]:
            yield from row["ops"] if "ops" in row else written[row["same_as"]]

    def _sections(self) -> Iterator[dict]:
        written = {}
        for row in self.document["sections"]:
            if "ops" in row:
                written[row["section"]] = row
                yield row
            else:
                yield {**written[row["same_as"]], "peak_live": row["peak_live"]}

    def __repr__(self) -> str:
        return (f"<Recording of {self.document['variant']}: {self.kernels:,} kernels, {self.flops / 1e12:.4g} TFLOP, "
                f"{self.parameters:,} parameters, {self.peak_bytes / 1e9:.4g} GB at the peak>")


def _grouped(a: list[int], b: list[int], *_: list[int]) -> int:
    """Of a product of groups: rows of `a`, or columns of `b`, or what is summed over, are divided among them; all three of none."""
    return 2 * a[-2] * a[-1] * b[-1] * (a[0] if len(a) == 3 and len(b) == 3 else 1)


#: Products without a formula in torch.utils.flop_counter, and ours, of the shapes of their operands.
_PRODUCTS: dict[str, Callable[..., int]] = {
    "aten._grouped_mm": _grouped,
    "aten._scaled_grouped_mm": _grouped,
    "aten._int_mm": lambda a, b, *_: 2 * a[0] * a[1] * b[1],
    "aten.mv": lambda a, x, *_: 2 * a[0] * a[1],
    "aten.addmv": lambda y, a, x, *_: 2 * a[0] * a[1],
    "aten.dot": lambda x, y, *_: 2 * x[0],
    "aten.vdot": lambda x, y, *_: 2 * x[0],
}


def dumps(reference: dict[str, Any]) -> str:
    """Compact JSON, one line for each module, section and kernel."""

    def compact(value) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    own = ("modules", "parameters", "stages", "storages", "buffers", "sections")
    parts = [f'"{key}":{compact(value)}' for key, value in reference.items() if key not in own]
    more = "".join(f'"{key}":{compact(reference[key])},' for key in ("stages", "storages", "buffers") if key in reference)
    modules = ",\n".join(map(compact, reference["modules"]))
    parameters = ",".join(map(compact, reference["parameters"]))
    sections = []
    for section in reference["sections"]:
        row = compact({key: value for key, value in section.items() if key != "ops"})
        if "ops" in section:
            row = row[:-1] + ',"ops":[\n' + ",\n".join(map(compact, section["ops"])) + "]}"
        sections.append(row)
    return ("{" + ",".join(parts) + ',"modules":[\n' + modules + '],"parameters":[' + parameters + "]," + more
            + '"sections":[\n' + ",\n".join(sections) + "]}\n")
