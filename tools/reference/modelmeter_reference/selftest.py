"""A small model recorded twice: the records must be equal, and count what is known by hand."""

from __future__ import annotations

import torch
from torch import nn

from .attention import KINDS, attention
from .compare import differences
from .document import document
from .fake_cuda import building, fake_cuda, freeze, set_dtype, tensor
from .recorder import record

_BATCH, _TOKENS, _WIDTH, _HEADS, _LAYERS = 2, 24, 64, 4, 3


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_WIDTH)
        self.qkv = nn.Linear(_WIDTH, 3 * _WIDTH)
        self.out = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        qkv = self.qkv(self.norm(x)).unflatten(-1, (3, _HEADS, _WIDTH // _HEADS))
        q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
        return x + self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class _Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, _WIDTH, 2, stride=2)
        self.blocks = nn.ModuleList(_Block() for _ in range(_LAYERS))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.patch(nn.functional.pad(image, (0, 2))).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return x


def _reference(kind: str) -> dict:
    with fake_cuda() as fake_mode, attention(kind):
        with building():
            model = set_dtype(freeze(_Model()), torch.bfloat16)
        image = tensor(_BATCH, 3, 8, 10, dtype=torch.bfloat16)
        recorder = record(fake_mode, model, lambda: model(image), image)
        return document({"code": "selftest"}, model, recorder)


def _expected_flops() -> int:
    rows = _BATCH * _TOKENS
    patch = 2 * rows * _WIDTH * 3 * 2 * 2
    block = 2 * rows * _WIDTH * 4 * _WIDTH + 4 * rows * _TOKENS * _WIDTH
    return patch + _LAYERS * block


def selftest() -> int:
    failures = []
    for kind in KINDS:
        first, second = _reference(kind), _reference(kind)
        failures += [f"{kind}: {line}" for line in differences(first, second)]
        if first["totals"]["flops"] != _expected_flops():
            failures.append(f"{kind}: {first['totals']['flops']} FLOPs, not {_expected_flops()}")
        repeats = [row.get("same_as") for row in first["sections"]]
        if repeats != [None, None, *["blocks.0"] * (_LAYERS - 1)]:
            failures.append(f"{kind}: blocks that run the same kernels are not one section: {repeats}")
        if first["totals"]["peak_live"] <= first["totals"]["live_at_start"]:
            failures.append(f"{kind}: nothing was alive")
    for line in failures:
        print(line)
    print("failed" if failures else "ok")
    return 1 if failures else 0
