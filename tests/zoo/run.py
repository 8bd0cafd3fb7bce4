#!/usr/bin/env python3
"""Records every model of the zoo and compares with what does not come from the recorder.

- FLOPs: torch.utils.flop_counter.FlopCounterMode's of the same forward on `meta`, without anything of modelmeter; where code
  does not run there (it reads values), of the forward inside the recording.
- parameters: the module's own.
- live memory after each kernel: the sum of the storages that the record says exist then.
- the row of docs/zoo.md, where the versions that it names are installed.

    python tests/zoo/run.py ['llama*' …] [--save DIR]

Exit status 1 on a difference, 77 where torch is not there.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import importlib.metadata
import importlib.util
import itertools
import re
import sys
import traceback
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parent))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", default=["*"])
    parser.add_argument("--save", type=Path, help="a folder for the recordings")
    options = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        print("skipped: no torch")
        return 77
    from models import ZOO

    documented = _documented()
    failed = passed = skipped = 0
    for name, entry in ZOO.items():
        if not any(fnmatch.fnmatch(name, pattern) for pattern in options.patterns):
            continue
        if importlib.util.find_spec(entry.package) is None:
            print(f"{name}: skipped, no {entry.package}")
            skipped += 1
            continue
        try:
            row = _check(name, entry, options.save)
        except Exception:
            traceback.print_exc()
            print(f"{name}: FAILED", flush=True)
            failed += 1
            continue
        line = f"| {name} | {' | '.join(row)} |"
        if documented and line not in documented:
            print(f"docs/zoo.md says otherwise of {name}: FAILED\n{line}", flush=True)
            failed += 1
            continue
        passed += 1
        print(line, flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed + skipped else 0


def _documented() -> list[str]:
    """The rows of docs/zoo.md, if its figures are of the versions that are here."""
    text = (SOURCE / "docs" / "zoo.md").read_text(encoding="utf-8")
    versions = re.search(r"Figures of ([^\n]*[0-9])\.", text)[1].replace("PyTorch", "torch")
    for package, version in (part.split() for part in versions.split(", ")):
        if importlib.util.find_spec(package) is None or not importlib.metadata.version(package).startswith(version):
            print(f"docs/zoo.md is not compared: {package} is not {version}")
            return []
    return text.splitlines()


def _check(name, entry, save) -> list[str]:
    import torch
    import torch._dynamo  # PyTorch 2.8 can't import it while a device is set
    from modelmeter.recording import Recorder

    with torch.device("meta"):
        model = entry.make().to(entry.dtype).eval()
    parameters = sum(value.numel() for value in model.parameters())
    inputs = entry.inputs()

    with Recorder(model, training=False, routing=entry.routing) as recorder:
        with torch.no_grad():
            given = recorder.place(inputs)
            _run(entry, model, given, recorder.stage)
    recording = recorder.recording

    expected, inside = _expected(entry, model, inputs)
    found = [stage["flops"] for stage in recording.stages]
    if found != expected:
        raise AssertionError(f"{found} FLOPs, FlopCounterMode says {expected}")
    if recording.parameters != parameters:
        raise AssertionError(f"{recording.parameters} parameters, not {parameters}")
    _check_live(recording)
    if save is not None:
        recording.save(save / f"{name}.json.gz")
    row = [f"{parameters / 1e6:.1f} M", *[f"{sum(found) / 1e9:.1f} GFLOP" + (" (counted inside)" if inside else "")],
           f"{recording.kernels}", f"{recording.peak_bytes / 2**30:.2f} GiB"]
    if entry.trains:
        row.append(_check_training(entry, model, inputs))
    else:
        row.append("")
    return row


def _run(entry, model, inputs, stage) -> None:
    if not entry.generates:
        with stage("forward"):
            _call(entry, model, inputs)
        return
    with stage("prefill"):
        output = model(**inputs, use_cache=True)
    ids = inputs["input_ids"][:, -1:]
    with stage("decode"):
        model(input_ids=ids, past_key_values=output.past_key_values, use_cache=True)


@contextlib.contextmanager
def _counting(counts: list[int]):
    """What stands for a stage: PyTorch's counter of FLOPs, without modelmeter."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        yield
    counts.append(counter.get_total_flops())


def _on_meta(inputs):
    import torch

    return torch.utils._pytree.tree_map_only(torch.Tensor, lambda value: value.to("meta"), inputs)


def _expected(entry, model, inputs) -> tuple[list[int], bool]:
    """FLOPs of each forward by PyTorch's counter; whether it had to count within a recording, with attention written out."""
    import torch
    from modelmeter.recording import Recorder

    counts: list[int] = []
    try:
        with torch.no_grad():
            _run(entry, model, _on_meta(inputs), lambda _: _counting(counts))
        return counts, False
    except Exception:  # the code reads values, or mixes devices
        counts.clear()
    with Recorder(model, training=False, routing=entry.routing, attention="math") as recorder, torch.no_grad():
        _run(entry, model, recorder.place(inputs), lambda _: _counting(counts))
    return counts, True


def _call(entry, model, inputs):
    return model(*inputs.values()) if entry.package in ("torchvision", "timm") else model(**inputs)


def _check_live(recording) -> None:
    """What the storages say is alive after each kernel is what the kernel's row says."""
    document = recording.document
    changes: dict[int, int] = {}
    start = 0
    for size, born, died, *_ in document["storages"]:
        if born < 0:
            start += size
        else:
            changes[born] = changes.get(born, 0) + size
        if died >= 0:
            changes[died] = changes.get(died, 0) - size
    if start != document["totals"]["live_at_start"]:
        raise AssertionError(f"storages at the start have {start} bytes, not {document['totals']['live_at_start']}")
    live = peak = 0
    first = {row["section"]: row for row in document["sections"] if "ops" in row and row["section"]}
    number = itertools.count()
    for section in document["sections"]:
        top = None
        for op in section.get("ops") or first[section["same_as"]]["ops"]:
            live += changes.get(next(number), 0)
            top = live if top is None else max(top, live)
            if "ops" in section and live != op[7]:
                raise AssertionError(f"{op[0]} in {op[1]}: storages of {live} bytes are alive, its row says {op[7]}")
        if top != section["peak_live"]:
            raise AssertionError(f"section {section['section']}: peak {top}, not {section['peak_live']}")
        peak = max(peak, top)
    if start + peak != document["totals"]["peak_live"]:
        raise AssertionError(f"peak {start + peak}, not {document['totals']['peak_live']}")


def _check_training(entry, model, inputs) -> str:
    import torch
    from modelmeter.recording import record_training_step

    args, kwargs = (tuple(inputs.values()), {}) if entry.package in ("torchvision", "timm") else ((), inputs)
    recording = record_training_step(model, torch.optim.AdamW, entry.trains, *args, **kwargs)
    counts: list[int] = []
    try:
        model.train()
        with _counting(counts):
            entry.trains(_call(entry, model, _on_meta(inputs))).backward()
    except Exception as error:  # old transformers read values
        print(f"training: PyTorch's counter does not run on meta: {error}")
        counts.append(recording.flops)
    model.zero_grad()
    model.eval()
    expected, found = counts[-1], recording.flops
    if found != expected:  # fused attention computes its scores again in the backward, and PyTorch counts that; on meta it is not fused
        found = record_training_step(model, torch.optim.AdamW, entry.trains, *args, attention="math", **kwargs).flops
    if found != expected:
        raise AssertionError(f"training: {found} FLOPs, FlopCounterMode says {expected}")
    _check_live(recording)
    stages = [stage["name"] for stage in recording.stages]
    if stages != ["forward", "backward", "optimizer"]:
        raise AssertionError(f"training: stages {stages}")
    return f"{recording.flops / 1e9:.1f} GFLOP, {recording.peak_bytes / 2**30:.2f} GiB"


if __name__ == "__main__":
    sys.exit(main())
