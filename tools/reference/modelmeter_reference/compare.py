"""The differences between two references."""

from __future__ import annotations

from typing import Any, Iterator

#: Compared field by field, or no record: a count by formula that some documents carry.
_APART = ("modules", "parameters", "sections", "totals", "closed_form_flops")
_SECTION = ("flops", "read", "write", "kernels", "peak_live", "same_as")


def differences(left: dict, right: dict, new_fields: bool = False) -> Iterator[str]:
    """`new_fields`: what only the header of the second says is no difference."""
    for key in sorted(set(left) | set(right)):
        one, other = left.get(key), right.get(key)
        if key in _APART or new_fields and key not in left:
            continue
        if new_fields and isinstance(one, dict) and isinstance(other, dict):
            other = {name: value for name, value in other.items() if name in one}
        if one != other:
            yield f"{key}: {one!r} | {other!r}"
    yield from _fields("totals", left["totals"], right["totals"])
    yield from _keyed("module", {row["name"]: row for row in left["modules"]},
                      {row["name"]: row for row in right["modules"]})
    yield from _keyed("parameter", {row[0]: {"is": row[1:]} for row in left["parameters"]},
                      {row[0]: {"is": row[1:]} for row in right["parameters"]})
    yield from _sections(left["sections"], right["sections"])


def _fields(what: str, left: dict, right: dict) -> Iterator[str]:
    for key in [*left, *(key for key in right if key not in left)]:
        if left.get(key) != right.get(key):
            yield f"{what}: {key}: {left.get(key)!r} | {right.get(key)!r}"


def _keyed(what: str, left: dict[str, dict], right: dict[str, dict]) -> Iterator[str]:
    for name in left:
        if name not in right:
            yield f"{what} {name!r}: only in the first"
        else:
            yield from _fields(f"{what} {name!r}", left[name], right[name])
    for name in right:
        if name not in left:
            yield f"{what} {name!r}: only in the second"
    if list(left) != list(right) and set(left) == set(right):
        yield f"{what}s: in another order"


def _sections(left: list[dict], right: list[dict]) -> Iterator[str]:
    if [row["section"] for row in left] != [row["section"] for row in right]:
        yield f"sections: {[row['section'] for row in left]} | {[row['section'] for row in right]}"
    for one, other in zip(left, right):
        what = f"section {one['section']!r}"
        yield from _fields(what, {key: one.get(key) for key in _SECTION}, {key: other.get(key) for key in _SECTION})
        yield from _kernels(what, one.get("ops", []), other.get("ops", []))


def _kernels(what: str, left: list[Any], right: list[Any]) -> Iterator[str]:
    if len(left) != len(right):
        yield f"{what}: {len(left)} kernels | {len(right)}"
    for index, (one, other) in enumerate(zip(left, right)):
        if one != other:
            yield f"{what} kernel {index}: {one}\n{' ' * len(what)}        {len(str(index)) * ' '}| {other}"
