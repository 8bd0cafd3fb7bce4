"""A small model recorded twice: the records must be equal, and count what is known by hand. And operations that are
written out as others: the kernels that ATen's CUDA code runs for them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from modelmeter.recording.attention import KINDS, attention
from .compare import differences
from modelmeter.recording.document import document
from modelmeter.recording.device import building, fake_cuda, freeze, set_dtype, tensor
from modelmeter.recording.recorder import record

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


def _dialect(fake_mode: FakeTensorMode) -> Iterator[str]:
    """What is not as it should be of the operations that are written out."""
    f32, bf16, f64 = torch.float32, torch.bfloat16, torch.float64
    image = tensor(1, 8, 4, 6, dtype=f32)
    rows, strided = tensor(6, 8, dtype=f32), tensor(8, 6, dtype=f32).t()
    bicubic = torch.ops.aten._upsample_bicubic2d_aa.default
    for what, operation, inputs, names, launches in (
        ("pad", lambda x: nn.functional.pad(x, (1, 0)), [image], "new_empty fill_ copy_", 2),
        ("pad of nothing", lambda x: nn.functional.pad(x, (0, 0)), [image], "clone", 1),
        ("pad that takes away", lambda x: nn.functional.pad(x, (0, -2, -1, 0)), [image], "clone", 1),
        ("pow of a number", lambda x: torch.pow(10000, x), [tensor(4, dtype=f64)], "empty fill_ pow", 2),
        ("pow of 1", lambda x: torch.pow(1, x), [rows], "empty_like fill_", 1),
        ("norm", lambda x: nn.functional.layer_norm(x, (8,)), [rows], "native_layer_norm", 1),
        ("norm of a strided input", lambda x: nn.functional.layer_norm(x, (8,)), [strided], "clone native_layer_norm", 2),
        ("cat", lambda *x: torch.cat(x), [rows, rows], "cat", 1),
        ("cat of dtypes", lambda *x: torch.cat(x), [rows, tensor(2, 8, dtype=bf16)], "new_empty copy_ copy_", 2),
        ("cat of dtypes to a third", lambda *x: torch.cat(x), [tensor(2, 8, dtype=torch.float16), tensor(2, 8, dtype=bf16)],
         "new_empty copy_ copy_", 2),
        ("cat with an empty operand", lambda *x: torch.cat(x), [rows, tensor(0, 8, dtype=bf16)], "cat", 1),
        ("zeros of nothing", lambda x: x.new_zeros(0, 8), [rows], "new_zeros", 0),
        ("bicubic", lambda x: bicubic(x, [2, 3], False), [image], "_upsample_bicubic2d_aa", 1),
        ("bicubic, channels last", lambda x: bicubic(x.permute(0, 3, 1, 2), [2, 3], False), [tensor(1, 4, 6, 8, dtype=f32)],
         "empty clone _upsample_bicubic2d_aa copy_", 3),
        ("bicubic, strided", lambda x: bicubic(x.transpose(2, 3), [2, 3], False), [image], "clone _upsample_bicubic2d_aa", 2),
    ):
        ran = record(fake_mode, nn.Module(), lambda: operation(*inputs), inputs).kernels
        found = " ".join(kernel.name.removeprefix("aten.") for kernel in ran), sum(kernel.launched for kernel in ran)
        if found != (names, launches):
            yield f"{what}: {found}, not {(names, launches)}"
        if what == "bicubic, channels last" and ran[-1].live != 2 * 4 * 2 * 3 * 8 + 4 * image.numel():
            yield f"{what}: the copy of the input is gone before the result is copied back: {ran[-1].live} bytes live"


def selftest() -> int:
    failures = []
    with fake_cuda() as fake_mode:
        failures += [f"written out: {line}" for line in _dialect(fake_mode)]
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
