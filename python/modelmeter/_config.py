"""Configurations, composed as Hydra does."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any, Iterator, Mapping, Sequence

from modelmeter import _core


class Config(Mapping[str, Any]):
    """A composed configuration: a mapping, whose maps are also read by attribute (`cfg.workload.num_frames`).

    It does not change; `cfg.override("workload.num_frames=81")` composes another.
    """

    def __init__(
        self,
        name: str,
        overrides: Sequence[str] = (),
        *,
        config_dir: str | os.PathLike | Sequence[str | os.PathLike] = (),
        config_path: str | os.PathLike | None = None,
    ) -> None:
        if isinstance(overrides, str):
            overrides = [overrides]
        dirs = [config_dir] if isinstance(config_dir, (str, os.PathLike)) else config_dir
        self._name = name
        self._overrides = [str(word) for word in overrides]
        self._dirs = [os.fspath(folder) for folder in dirs]
        self._path = os.fspath(config_path) if config_path is not None else ""
        self._request = _core.Request(name, self._overrides, self._path, self._dirs)
        for text in self._request.warnings():
            warnings.warn(text, stacklevel=3)
        self._values: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The entry file in configs/."""
        return self._name

    @property
    def overrides(self) -> list[str]:
        return list(self._overrides)

    @property
    def choices(self) -> dict[str, str]:
        """The option that each group has: {"workload": "wan2-1-720p", …}."""
        return dict(self._request.choices())

    def override(self, *words: str) -> "Config":
        """The same with more overrides, which come last."""
        return Config(self._name, [*self._overrides, *words], config_dir=self._dirs, config_path=self._path or None)

    def to_yaml(self) -> str:
        return self._request.yaml()

    def to_dict(self) -> dict[str, Any]:
        return json.loads(self._request.json())

    def _read(self) -> dict[str, Any]:
        if self._values is None:
            self._values = self.to_dict()
        return self._values

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(Node(self._read()), name)

    def __reduce__(self):
        return _composed, (self._name, self._overrides, self._dirs, self._path)

    def __repr__(self) -> str:
        return f"Config({self._name!r}, {self._overrides!r})"

    def __str__(self) -> str:
        return self.to_yaml()


class Node(dict):
    """A map of a configuration, also read by attribute."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            import difflib

            near = difflib.get_close_matches(name, self, 1)
            meant = f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(map(str, self))}"
            raise AttributeError(f"no key '{name}'{meant}")
        value = self[name]
        return Node(value) if isinstance(value, dict) else value


def _composed(name: str, overrides: list[str], dirs: list[str], path: str) -> Config:
    return Config(name, overrides, config_dir=dirs, config_path=path or None)


def compose(
    name: str,
    overrides: Sequence[str] = (),
    *,
    config_dir: str | os.PathLike | Sequence[str | os.PathLike] = (),
    config_path: str | os.PathLike | None = None,
) -> Config:
    """Composes an entry file of configs/ with overrides, `group=option` and `a.b=value`, as the command line does.

    config_dir: more folders of configs, searched after the built-in ones; config_path: one in place of them.
    """
    return Config(name, overrides, config_dir=config_dir, config_path=config_path)


def config_names() -> list[str]:
    """The entry files that come with modelmeter: one for each published model and pipeline."""
    return _core.config_names("", [])
