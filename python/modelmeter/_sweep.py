"""Sweeps: many runs of one configuration, on native threads or on a Ray cluster, as an iterator and a table."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import weakref
from typing import Any, Iterator, Mapping, Sequence

from modelmeter import _core
from modelmeter._config import Config
from modelmeter._errors import Error
from modelmeter._tables import table

Row = dict[str, Any]
_POLL = 0.05  # seconds
_BATCH = 1000  # rows that are read at once


def _word(value: Any) -> str:
    """A value as an override has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_word(item) for item in value)}]"
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    if re.fullmatch(r"[A-Za-z0-9_./+-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def axis_word(key: str, values: Any) -> str:
    """`key=a,b,c` of an axis: {"workload.num_frames": [17, 81]}; a text is taken as it is ("range(17,82,4)")."""
    if isinstance(values, str):
        return f"{key}={values}"
    words = [_word(value) for value in values]
    if not words:
        raise Error(f"the axis '{key}' has no values")
    return f"{key}={','.join(words)}"


class Sweep(Iterator[Row]):
    """A sweep that runs: an iterator over its jobs, in order, as dicts. table() is all of it, when it is done.

    A job that is refused has its error in `error`, and no figures. What is stored stays: the same sweep into the same
    store goes on where it was.
    """

    def __init__(self, words: Sequence[str], store: str | None, progress: bool, engine: "_Engine") -> None:
        if store is None:  # gone with this object
            folder = tempfile.mkdtemp(prefix="modelmeter-sweep-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            store = os.path.join(folder, "sweep.sqlite")
        self.store = store
        self._engine = engine
        self._outcome = _Outcome()
        self._next = 0
        self._complete = self._exhausted = False  # of the last look: it had ended, and nothing more was there
        self._ready: Iterator[Row] = iter(())
        self._bar = _bar(progress)
        threading.Thread(target=_work, args=(engine, list(words), store, self._outcome), daemon=True).start()

    def __iter__(self) -> "Sweep":
        return self

    def __next__(self) -> Row:
        while True:
            for row in self._ready:
                if row["job"] != self._next and not self._complete:
                    break  # the one before it is still running
                self._next = row["job"] + 1
                return row
            if self._complete and self._exhausted:
                self._bar.close(*self._engine.progress())
                self._raise()
                raise StopIteration
            self._ready = iter(self._poll())

    def _poll(self) -> list[Row]:
        """What is stored from the next job on."""
        try:
            self._complete = self._outcome.done.is_set()
            self._bar.show(*self._engine.progress())
            reads = self._complete or self._engine.streams
            rows = list(itertools.islice(self._select(self._next), _BATCH)) if reads else []
            self._exhausted = not rows
            if not self._complete and (not rows or rows[0]["job"] != self._next):
                self._outcome.done.wait(_POLL)
            return rows
        except KeyboardInterrupt:
            self.cancel()
            raise

    def __len__(self) -> int:
        """The number of jobs; waits until it is known."""
        while not self._outcome.done.is_set() and self._engine.progress()[0] == 0:
            self._outcome.done.wait(_POLL)
        self._raise()
        return self._engine.progress()[0]

    @property
    def progress(self) -> tuple[int, int, int]:
        """How many jobs there are, are stored, and were refused."""
        return self._engine.progress()

    def cancel(self) -> None:
        """Ends it; what is stored stays."""
        self._engine.cancel()
        self._wait()

    def rows(self) -> list[Row]:
        """All jobs, when they are done."""
        self._wait()
        self._raise()
        rows = list(self._select(0))
        empty = {name for name in (rows[0] if rows else ()) if name != "error" and all(row[name] is None for row in rows)}
        return [{name: value for name, value in row.items() if name not in empty} for row in rows]

    def table(self, kind: str | None = None) -> Any:
        """The same as a pandas DataFrame, else one of polars, else a list of dicts."""
        return table(self.rows(), kind)

    def _wait(self) -> None:
        try:
            while not self._outcome.done.wait(_POLL):
                self._bar.show(*self._engine.progress())
        except BaseException:  # Ctrl-C
            self._engine.cancel()
            self._outcome.done.wait()
            raise
        finally:
            self._bar.close(*self._engine.progress())

    def _raise(self) -> None:
        if self._outcome.failure is not None:
            raise self._outcome.failure

    def _select(self, first: int) -> Iterator[Row]:
        number = self._engine.number()
        if not number:  # it has not begun
            return
        database = sqlite3.connect(self.store, timeout=30)
        try:
            rows = database.execute(f"SELECT * FROM sweep_{number} WHERE job >= ? ORDER BY job", (first,))
            names = [column[0] for column in rows.description]
            for values in rows:
                yield dict(zip(names, values))
        except sqlite3.Error as error:
            raise Error(f"cannot read {self.store}: {error}") from None
        finally:
            database.close()

    def _repr_html_(self) -> str:
        jobs, done, failed = self.progress
        return f"<p>sweep: {done:,} of {jobs:,} jobs, {failed:,} refused</p>"

    def __repr__(self) -> str:
        jobs, done, failed = self.progress
        return f"Sweep({done:,} of {jobs:,} jobs, {failed:,} refused)"


class _Outcome:
    def __init__(self) -> None:
        self.done = threading.Event()
        self.failure: BaseException | None = None


def _work(engine: "_Engine", words: list[str], store: str, outcome: _Outcome) -> None:
    try:
        engine.run(words, store)
    except BaseException as failure:  # whoever iterates gets it
        outcome.failure = failure
    finally:
        outcome.done.set()


class _Engine:
    streams = True  # rows are in the store while it runs

    def run(self, words: list[str], store: str) -> None:
        raise NotImplementedError

    def number(self) -> int:
        """Of the sweep in its store; 0 until it is known."""
        raise NotImplementedError

    def progress(self) -> tuple[int, int, int]:
        raise NotImplementedError

    def cancel(self) -> None:
        raise NotImplementedError


class Threads(_Engine):
    """In this process, on its cores; the interpreter's lock is released."""

    def __init__(self) -> None:
        self._task = _core.Sweep()

    def run(self, words: list[str], store: str) -> None:
        self._task.run([*words, f"sweep.store={store}"])

    def number(self) -> int:
        return self._task.number()

    def progress(self) -> tuple[int, int, int]:
        return self._task.progress()

    def cancel(self) -> None:
        self._task.cancel()


class _NoBar:
    def show(self, jobs: int, done: int, failed: int) -> None:
        pass

    def close(self, jobs: int, done: int, failed: int) -> None:
        pass


class _TextBar(_NoBar):
    """A line on stderr, where tqdm is not installed."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = 0.0
        self._closed = False

    def show(self, jobs: int, done: int, failed: int) -> None:
        now = time.monotonic()
        if jobs and now - self._shown > 0.2 and not self._closed:
            self._shown = now
            seconds = now - self._began
            print(f"\r{done:,}/{jobs:,} [{seconds:.0f}s, {done / seconds:,.0f}/s]", end="", file=sys.stderr, flush=True)

    def close(self, jobs: int, done: int, failed: int) -> None:
        if self._shown and not self._closed:
            self._shown = 0.0
            self.show(jobs, done, failed)
            print(file=sys.stderr)
        self._closed = True


class _Tqdm(_NoBar):
    def __init__(self, tqdm: Any) -> None:
        self._bar = tqdm(unit="job", desc="sweep")
        self._closed = False

    def show(self, jobs: int, done: int, failed: int) -> None:
        if self._closed:
            return
        self._bar.total = jobs or None
        if failed:
            self._bar.set_postfix(refused=failed, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self, jobs: int, done: int, failed: int) -> None:
        self.show(jobs, done, failed)
        self._bar.close()
        self._closed = True


def _bar(wanted: bool) -> _NoBar:
    if not wanted:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _TextBar() if sys.stderr.isatty() else _NoBar()
    return _Tqdm(tqdm)


def sweep(
    config: str | Config,
    axes: Mapping[str, Any] | Sequence[str] = (),
    *,
    overrides: Sequence[str] = (),
    device: str | Sequence[str] | None = None,
    store: str | os.PathLike | None = None,
    threads: int | None = None,
    progress: bool = True,
    engine: str = "threads",
) -> Sweep:
    """Runs every combination of the axes: `for row in sweep(…)` has a row for each job as it is done, `.table()` all.

    axes: {"workload.num_frames": [17, 49, 81], "runtime.residency": ["all", "offload"]}, or words of the command line
    ("workload.num_frames=range(17,82,4)"). device: one, or several to sweep. store: a file that keeps it, which later
    sweeps take results from. threads: how many, all cores where it is not said. engine="ray": on the Ray cluster that
    ray.init() finds, a shard on each of its CPUs.
    """
    words = [overrides] if isinstance(overrides, str) else list(overrides)
    if isinstance(axes, Mapping):
        words += [axis_word(key, values) for key, values in axes.items()]
    else:
        words += [axes] if isinstance(axes, str) else list(axes)
    if device is not None:
        words.append(axis_word("device", [device] if isinstance(device, str) else device))
    for word in words:
        if word.startswith("sweep."):
            raise Error(f"'{word}' is of the command line", notes=["store=FILE keeps the sweep; engine='ray' divides it"])
    if threads is not None:
        if threads < 1:
            raise Error(f"threads={threads}: one or more")
        words.append(f"hydra.launcher.n_jobs={threads}")
    if isinstance(config, Config):
        name, words = config.name, [*config.overrides, *words]
        flags = [flag for folder in config._dirs for flag in ("--config-dir", folder)]
        flags += ["--config-path", config._path] if config._path else []
    else:
        name, flags = config, []
    return Sweep(
        ["--config-name", name, *flags, *words], os.fspath(store) if store is not None else None, progress, _engine(engine)
    )


def _engine(name: str) -> _Engine:
    if name == "threads":
        return Threads()
    if name == "ray":
        from modelmeter._ray import Ray

        return Ray()
    raise Error(f"there is no engine '{name}'", notes=["available: threads, ray"])
