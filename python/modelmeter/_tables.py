"""Rows as the tables that people work with."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any, Mapping, Sequence

from modelmeter._errors import Error

Row = dict[str, Any]


def table(rows: Sequence[Mapping[str, Any]], kind: str | None = None) -> Any:
    """A pandas DataFrame, else one of polars, else a list of dicts: the first that is installed, or `kind` of them.

    A library that is imported already is taken before one that is only installed.
    """
    libraries = ("pandas", "polars")
    if kind is None:
        kind = next((name for name in libraries if name in sys.modules), None)
    if kind is None:
        kind = next((name for name in libraries if importlib.util.find_spec(name) is not None), "list")
    if kind == "list":
        return [dict(row) for row in rows]
    if kind == "pandas":
        import pandas

        return pandas.DataFrame.from_records(list(rows))
    if kind == "polars":
        import polars

        return polars.DataFrame([_storable(row) for row in rows], infer_schema_length=None)
    raise Error(f"there is no table of kind '{kind}'", notes=["available: pandas, polars, list"])


def _storable(row: Mapping[str, Any]) -> Row:
    """polars has no integers beyond 64 bits: they become floats."""
    limit = 2**63
    return {k: float(v) if isinstance(v, int) and not -limit <= v < limit else v for k, v in row.items()}
