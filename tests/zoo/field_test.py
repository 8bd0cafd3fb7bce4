#!/usr/bin/env python3
"""Totals of mm.summary() beside those of fvcore, torchinfo, calflops and ptflops on five models: parameters are equal, and what
differs of the multiply-adds is named and adds up to the last one (docs/zoo.md, "Against the field").

    python tests/zoo/field_test.py [--write]     exit status 77 where torch, torchvision or all four are not there

The totals themselves are in field.json, with the version that gave them; --write writes it.
"""

import importlib.metadata
import importlib.util
import json
import logging
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "python"))
TOOLS = [name for name in ("fvcore", "torchinfo", "calflops", "ptflops") if importlib.util.find_spec(name)]
for package in ("torch", "torchvision"):
    if importlib.util.find_spec(package) is None:
        print(f"skipped: no {package}")
        sys.exit(77)
if not TOOLS:
    print("skipped: none of fvcore, torchinfo, calflops, ptflops")
    sys.exit(77)

import torch
import torchvision
from torch import nn

from modelmeter.recording import summary

logging.disable(logging.WARNING)
RECORDED = HERE / "field.json"


class Attention(nn.Module):
    """Two blocks of attention, each with a norm before and a sum after."""

    def __init__(self, width=64):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(2))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(2))

    def forward(self, x):
        for norm, qkv, out in zip(self.norms, self.qkv, self.out):
            q, k, v = (part.unflatten(-1, (4, -1)).transpose(1, 2) for part in qkv(norm(x)).chunk(3, -1))
            x = x + out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x


def _models():
    image = torch.empty(1, 3, 224, 224)
    for name in ("resnet18", "vgg11", "vit_b_16", "mobilenet_v3_small"):
        yield name, getattr(torchvision.models, name)().eval(), image
    yield "attention", Attention().eval(), torch.empty(1, 128, 64)


class Ours:
    """What a summary says, and its multiply-adds by kernel."""

    def __init__(self, model, x):
        made = summary(model, x, show=False)
        self.parameters, self.macs = made.totals["parameters"], made.totals["macs"]
        self.attention, self.biases = 0, 0
        for name, _, inputs, outputs, flops, *_ in made.recording.operations():
            if "attention" in name:
                self.attention += flops // 2
            elif name == "aten.addmm":
                self.biases += _count(outputs[0][0])
            elif name == "aten.add_" and len(inputs) == 2 and inputs[1][0][0] == 1 and inputs[1][0][1:].count(1) == 2:
                self.biases += _count(outputs[0][0])  # of a convolution


def _count(shape):
    total = 1
    for size in shape:
        total *= size
    return total


def _fvcore(model, x):
    import fvcore.nn

    found = fvcore.nn.FlopCountAnalysis(model, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return {"total": found.total(), **found.by_operator()}


def _torchinfo(model, x):
    import torchinfo

    found = torchinfo.summary(model, input_data=x, verbose=0)
    return {"total": found.total_mult_adds, "parameters": found.total_params}


def _calflops(model, x):
    import calflops

    flops, macs, parameters = calflops.calculate_flops(model, input_shape=tuple(x.shape), print_results=False, output_as_string=False)
    return {"total": macs, "flops": flops, "parameters": parameters}


def _ptflops(model, x):
    import ptflops

    macs, parameters = ptflops.get_model_complexity_info(model, tuple(x.shape[1:]), print_per_layer_stat=False, as_strings=False,
                                                         backend="aten")
    return {"total": macs, "parameters": parameters}


def _as_torchinfo(model, x):
    """torchinfo's rule: each module that has no other in it, its parameters times the places of a convolution's result, and
    once for all other modules, however many tokens they see."""
    total = 0

    def hook(module, _, output):
        nonlocal total
        places = _count(output.shape[2:]) if isinstance(module, nn.Conv2d) else 1
        total += sum(value.numel() for value in module.parameters()) * places * output.shape[0]

    handles = [module.register_forward_hook(hook) for module in model.modules() if not any(True for _ in module.children())]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return total


class Tests(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.models = {name: (model, x, Ours(model, x)) for name, model, x in _models()}
        cls.recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}

    def _each(self, tool, ask, explained):
        if tool not in TOOLS:
            self.skipTest(f"no {tool}")
        version, found = importlib.metadata.version(tool), {}
        for name, (model, x, ours) in self.models.items():
            with self.subTest(model=name):
                found[name] = ask(model, x)
                if "parameters" in found[name]:
                    self.assertEqual(found[name]["parameters"], ours.parameters)
                self.assertEqual(explained(found[name], model, x, ours), ours.macs)
        WRITTEN[tool] = {"version": version, **found}
        recorded = self.recorded.get(tool, {})
        if recorded.get("version") == version and "--write" not in OPTIONS:
            self.assertEqual({name: recorded[name] for name in found}, found)

    def test_ours(self):
        """By hand: attention's two products of 4 heads, 128 x 128 x 16, its four linear layers' of 128 x 64 x 64; a convolution's."""
        ours = self.models["attention"][2]
        self.assertEqual(ours.macs, 2 * (2 * 4 * 128 * 128 * 16 + 4 * 128 * 64 * 64))
        self.assertEqual(self.models["resnet18"][2].macs, 1_814_073_344)
        WRITTEN["modelmeter"] = {name: {"total": ours.macs} for name, (_, _, ours) in self.models.items()}

    def test_fvcore(self):
        """Knows no scaled_dot_product_attention; counts norms and pooling as multiply-adds."""
        self._each("fvcore", _fvcore, lambda found, model, x, ours: found.get("conv", 0) + found.get("linear", 0) + ours.attention)

    def test_calflops(self):
        """As deepspeed's profiler, which it comes from: replaces functions of torch.nn.functional, attention's not."""
        self._each("calflops", _calflops, lambda found, model, x, ours: found["total"] + ours.attention)

    def test_ptflops(self):
        """Counts the addition of a bias as one multiply-add, and attention not at all."""
        self._each("ptflops", _ptflops, lambda found, model, x, ours: found["total"] - ours.biases + ours.attention)

    def test_torchinfo(self):
        """By modules and their parameters: a linear layer once, not for each token, and nothing of functions."""

        def explained(found, model, x, ours):
            self.assertEqual(found["total"], _as_torchinfo(model, x))
            return ours.macs

        self._each("torchinfo", _torchinfo, explained)


WRITTEN = {}
OPTIONS = [option for option in sys.argv[1:] if option == "--write"]

if __name__ == "__main__":
    passed = unittest.main(argv=[word for word in sys.argv if word not in OPTIONS], exit=False).result.wasSuccessful()
    if passed and OPTIONS:
        RECORDED.write_text(json.dumps(WRITTEN, indent=1) + "\n")
    sys.exit(0 if passed else 1)
