"""Which storages of the device exist, and for how long."""

from __future__ import annotations

import weakref
from typing import Callable, Iterable

import torch

BEFORE = -1  # born before anything was recorded
ALIVE = -1   # not dead at the end


class Live:
    """Bytes of device storages that exist, from the first time each is seen until its last reference goes.

    `storages[i]` is [bytes, born, died, role]: the number of the operation that made it and how many there had been
    when it went, both by `now`.
    """

    def __init__(self, now: Callable[[], int] = lambda: 0) -> None:
        self.bytes = self.peak = 0
        self.storages: list[list] = []
        self._now = now
        self._open = True
        self._references: dict[int, tuple[int, weakref.ref]] = {}

    def see(self, tensors: Iterable[torch.Tensor], born: int | None = None, role: str = "") -> None:
        for tensor in tensors:
            if tensor.device.type != "cuda":
                continue
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key in self._references:
                if born == BEFORE:
                    self.storages[self._references[key][0]][1:] = [BEFORE, ALIVE, role]
                continue
            size = storage.nbytes()
            number = len(self.storages)
            self.storages.append([size, self._now() if born is None else born, ALIVE, role])
            self._references[key] = (number, weakref.ref(storage, lambda _, key=key, size=size: self._release(key, size)))
            self.bytes += size
            self.peak = max(self.peak, self.bytes)

    def see_all(self, tensors: list[torch.Tensor], keys: list[int]) -> None:
        """As `see`, of tensors whose storages' keys are known."""
        for tensor, key in zip(tensors, keys):
            if key not in self._references:
                self.see((tensor,))

    def number(self, tensor: torch.Tensor) -> int | None:
        """The place of the tensor's storage in `storages`."""
        found = self._references.get(tensor.untyped_storage()._cdata)
        return found[0] if found else None

    def tag(self, tensors: Iterable[torch.Tensor], role: str) -> None:
        """What storages are kept for, where nothing was said before."""
        for tensor in tensors:
            number = self.number(tensor)
            if number is not None and not self.storages[number][3]:
                self.storages[number][3] = role

    def restart(self) -> None:
        """Forget what has gone; what is there was there before."""
        kept, places = [], {}
        for number, _ in self._references.values():
            places[number] = len(kept)
            kept.append([self.storages[number][0], BEFORE, ALIVE, self.storages[number][3]])
        self.storages = kept
        self._references = {key: (places[number], reference) for key, (number, reference) in self._references.items()}

    def close(self) -> None:
        """What goes from now on is not a part of the record."""
        self._open = False

    def _release(self, key: int, size: int) -> None:
        found = self._references.pop(key, None)
        if found is not None and self._open:
            self.bytes -= size
            self.storages[found[0]][2] = self._now()
