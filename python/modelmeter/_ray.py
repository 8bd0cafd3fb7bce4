"""Sweeps on a Ray cluster: a shard of the jobs for each CPU, each into a store of its own, then merged."""

from __future__ import annotations

import os
import sqlite3
import tempfile

from modelmeter import _core
from modelmeter._errors import Error
from modelmeter._sweep import _Engine


def _run_shard(words: list[str], shard: int, shards: int) -> tuple[bytes, tuple[int, int, int]]:
    """In a worker: the store's bytes, and what came of it."""
    task = _core.Sweep()
    with tempfile.TemporaryDirectory(prefix="modelmeter-shard-") as folder:
        store = os.path.join(folder, "sweep.sqlite")
        task.run([*words, f"sweep.store={store}", f"sweep.shard={shard + 1}/{shards}", "hydra.launcher.n_jobs=1"])
        _query(store, "PRAGMA wal_checkpoint(TRUNCATE)")  # all of it in the one file
        with open(store, "rb") as file:
            return file.read(), task.progress()


def _query(store: str, text: str, *values: str) -> list[tuple]:
    database = sqlite3.connect(store)
    try:
        return database.execute(text, values).fetchall()
    finally:
        database.close()


class Ray(_Engine):
    """Workers need modelmeter, the same version. Ray is started on this machine where no cluster is connected."""

    streams = False

    def __init__(self) -> None:
        try:
            import ray
        except ImportError:
            raise Error("engine='ray' takes ray", notes=["pip install ray"]) from None
        self._ray = ray
        self._jobs = self._done = self._failed = self._number = 0
        self._cancelled = False

    def run(self, words: list[str], store: str) -> None:
        ray = self._ray
        words = [word for word in words if not word.startswith("hydra.launcher.n_jobs=")]
        if not ray.is_initialized():
            ray.init(log_to_driver=False, include_dashboard=False)
        shards = max(1, int(ray.cluster_resources().get("CPU", 1)))
        task = ray.remote(max_retries=3)(_run_shard)
        waiting = [task.remote(words, shard, shards) for shard in range(shards)]
        try:
            while waiting:
                ready, waiting = ray.wait(waiting, num_returns=1, timeout=0.2)
                for result in ready:
                    content, progress = ray.get(result)
                    self._take(content, progress, store)
                if self._cancelled:
                    raise Error("the sweep was cancelled")
        except ray.exceptions.RayTaskError as error:
            raise error.as_instanceof_cause() from None
        finally:
            for result in waiting:
                ray.cancel(result, force=True)

    def number(self) -> int:
        return self._number

    def _take(self, content: bytes, progress: tuple[int, int, int], store: str) -> None:
        with tempfile.TemporaryDirectory(prefix="modelmeter-shard-") as folder:
            part = os.path.join(folder, "part.sqlite")
            with open(part, "wb") as file:
                file.write(content)
            _core.merge_stores(store, [part])
            [(identity,)] = _query(part, "SELECT identity FROM sweeps")
        [(self._number,)] = _query(store, "SELECT id FROM sweeps WHERE identity=?", identity)
        jobs, done, failed = progress
        self._jobs, self._done, self._failed = self._jobs + jobs, self._done + done, self._failed + failed

    def progress(self) -> tuple[int, int, int]:
        return self._jobs, self._done, self._failed

    def cancel(self) -> None:
        self._cancelled = True
