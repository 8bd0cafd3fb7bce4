#!/usr/bin/env python3
"""Recording in small: what is counted by hand, what is refused, and that a model is left as it was.

    python tests/zoo/recording_test.py        exit status 77 where torch is not there
"""

import importlib.util
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
if importlib.util.find_spec("torch") is None:
    print("skipped: no torch")
    sys.exit(77)

import modelmeter
import torch
from torch import nn

from modelmeter.recording import HostReadError, Recorder, Recording, RecordingError, record, record_training_step, summary
from modelmeter.recording import recorder as recorder_module
from modelmeter.recording.session import check_version


class Block(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (4, -1)).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, -1))
        return x + self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Model(nn.Module):
    def __init__(self, checkpoint=False):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.checkpoint = checkpoint

    def forward(self, x):
        for block in self.blocks:
            x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False) if self.checkpoint else block(x)
        return x


class Reads(nn.Module):
    def forward(self, x, known):
        if known.sum().item() > 3:
            return x[known]
        return x.sum().item()


class Reentrant(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x):
        return torch.utils.checkpoint.checkpoint(self.linear, x.requires_grad_(), use_reentrant=True)


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(32, 64)

    def forward(self, x, lengths):
        return self.lstm(nn.utils.rnn.pack_padded_sequence(x, lengths))


class Tests(unittest.TestCase):
    def test_counts(self):
        model, x = Model().to(torch.bfloat16), torch.randn(2, 24, 64, dtype=torch.bfloat16)
        rec = record(model, x)
        self.assertEqual(rec.flops, 3 * (2 * 48 * 64 * 4 * 64 + 4 * 48 * 24 * 64))
        self.assertEqual(rec.parameters, sum(value.numel() for value in model.parameters()))
        self.assertEqual([row.get("same_as") for row in rec.document["sections"]], [None, "blocks.0", "blocks.0"])
        self.assertEqual(next(model.parameters()).device.type, "cpu")
        self.assertTrue(model.training)

    def test_meta_is_the_same(self):
        x = torch.empty(2, 24, 64)
        with torch.device("meta"):
            model = Model()
        self.assertEqual(record(model, x).totals, record(Model(), x).totals)

    def test_saved(self):
        rec = record(Model(), torch.empty(1, 8, 64))
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a.json", "a.json.gz"):
                self.assertEqual(Recording.load(rec.save(Path(folder) / name)).document, rec.document)
            (Path(folder) / "b.json").write_text('{"schema": "other"}')
            with self.assertRaisesRegex(RecordingError, "'other'"):
                Recording.load(Path(folder) / "b.json")
            (Path(folder) / "c.json.gz").write_bytes((Path(folder) / "a.json.gz").read_bytes()[:-20])
            for name in ("c.json.gz", "absent.json"):
                with self.assertRaisesRegex(modelmeter.Error, f"{name} can't be read"):
                    Recording.load(Path(folder) / name)

    def test_training(self):
        model = Model()
        optimizer = torch.optim.AdamW(model.parameters())
        rec = record_training_step(model, optimizer, lambda y: y.square().mean(), torch.randn(2, 24, 64), attention="math")
        flops = {stage["name"]: stage["flops"] for stage in rec.stages}
        forward = 3 * (2 * 48 * 64 * 4 * 64 + 4 * 48 * 24 * 64)
        self.assertEqual(flops["forward"], forward)
        self.assertEqual(flops["backward"], 2 * forward)
        self.assertFalse(optimizer.state)
        self.assertIs(optimizer.param_groups[0]["params"][0], next(model.parameters()))
        roles = {row[3] for row in rec.document["storages"] if len(row) > 3}
        self.assertLessEqual({"parameter", "input", "gradient", "optimizer state"}, roles)

    def test_checkpointing_saves_memory_and_computes_again(self):
        x = torch.randn(8, 256, 64)
        plain, checkpointed = (record_training_step(Model(flag), torch.optim.SGD, lambda y: y.mean(), x, attention="math")
                               for flag in (False, True))
        self.assertGreater(checkpointed.flops, plain.flops)
        self.assertLess(checkpointed.peak_bytes, plain.peak_bytes)

    def test_autocast(self):
        rec = record(Model(), torch.randn(1, 8, 64), autocast=torch.bfloat16)
        self.assertTrue(any(op[0].endswith("flash_attention") for op in rec.operations()))

    def test_what_follows_from_inputs_is_read(self):
        known = torch.tensor([True, True, True, True, False])
        rec = record(Reads(), torch.randn(5, 2), known)
        self.assertTrue(any(op[0] == "aten.nonzero" for op in rec.operations()))

    def test_what_does_not_is_an_error_with_its_line(self):
        with self.assertRaises(HostReadError) as caught:
            record(Reads(), torch.randn(50000, 2), torch.zeros(5, dtype=torch.bool))
        self.assertEqual(caught.exception.place.text, "return x.sum().item()")
        self.assertRegex(str(caught.exception), r"^error: the model reads a number .*\n  .*recording_test.py:\d+\n  return x.sum")
        record(Reads(), torch.randn(50000, 2), torch.zeros(5, dtype=torch.bool), answers=lambda read: 1.0)

    def test_a_forward_that_raises(self):
        class Raises(nn.Module):
            def forward(self, x):
                raise ValueError("no such thing")

        model = Raises()
        with self.assertRaisesRegex(RecordingError, "ValueError: no such thing") as caught:
            record(model, torch.empty(1))
        self.assertEqual(Path(caught.exception.place.file).name, "recording_test.py")
        self.assertIsInstance(caught.exception, modelmeter.Error)

    def test_a_tensor_left_on_the_host(self):
        class Left(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = torch.ones(4)

            def forward(self, x):
                return x * self.scale

        with self.assertRaises(RecordingError):
            record(Left(), torch.empty(2, 4))

    def test_refused(self):
        with self.assertRaisesRegex(RecordingError, "2.4 to 2.15"):
            check_version("2.3.1")
        with self.assertRaisesRegex(RecordingError, "not a torch.nn.Module"):
            record(len, torch.empty(1))
        with self.assertRaisesRegex(RecordingError, "attention is 'flsh'"):
            record(Model(), torch.empty(1, 8, 64), attention="flsh")

    def test_what_was_done_before_is_done_the_same(self):
        def step():
            return record_training_step(Model(checkpoint=True), torch.optim.AdamW, lambda y: y.mean(), torch.empty(2, 24, 64))

        known = step()
        with mock.patch.object(recorder_module, "can_keep", lambda *_: False):
            self.assertEqual(step().document, known.document)

    def test_takes_little_more_than_dispatch_itself(self):
        """At most 3 times what the same forward takes on meta tensors; the best of some times, of this process alone."""
        with torch.device("meta"):
            model, x = nn.Sequential(*(Model() for _ in range(10))).eval(), torch.empty(2, 24, 64)

        def seconds(run):
            def once():
                started = time.process_time()
                run()
                return time.process_time() - started

            return min(once() for _ in range(4))

        with torch.no_grad():
            dispatch = seconds(lambda: model(x))
        self.assertLess(seconds(lambda: record(model, x)), 3 * dispatch)

    def test_training_of_functions(self):
        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, gradient):
                return 2 * ctx.saved_tensors[0] * gradient

        class Custom(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 8, bias=False)

            def forward(self, x):
                return Square.apply(self.linear(x))

        rec = record_training_step(Custom(), torch.optim.Adagrad, lambda y: y.mean(), torch.empty(4, 8))
        product = 2 * 4 * 8 * 8
        self.assertEqual([stage["flops"] for stage in rec.stages], [product, product, 0])  # the weight's gradient
        with self.assertRaisesRegex(RecordingError, "use_reentrant=False"):
            record_training_step(Reentrant(), torch.optim.SGD, lambda y: y.mean(), torch.empty(4, 8))

    def test_recurrent_layers(self):
        """A step is a product with the hidden state and a cell; products with the input are one for all steps."""
        x = torch.empty(16, 4, 32)
        rec = record(nn.LSTM(32, 64), x)
        self.assertEqual(rec.flops, 2 * 16 * 4 * (32 + 64) * 256)
        self.assertEqual(sum(op[0] == "aten._thnn_fused_lstm_cell" for op in rec.operations()), 16)
        packed = record(Packed(), x, torch.tensor([16, 10, 5, 2]))
        self.assertEqual(packed.flops, 2 * (16 + 10 + 5 + 2) * (32 + 64) * 256)
        for lengths in ([2, 5, 10, 16], [16, 10, 5, 0], [17, 10, 5, 2]):
            with self.assertRaisesRegex(RecordingError, "must descend"):
                record(Packed(), x, torch.tensor(lengths))
        lstm = nn.LSTM(32, 64)
        record(lstm, x)
        self.assertEqual({weight.device.type for weight in lstm._flat_weights}, {"cpu"})
        lstm(torch.randn(2, 1, 32))

    def test_self_attention_without_gradients_is_atens_own(self):
        """One product for queries, keys and values; with weights, masks or gradients wanted the module's own code."""
        attention = nn.MultiheadAttention(64, 4, batch_first=True).eval()
        x = torch.empty(2, 8, 64)

        class Of(nn.Module):
            def __init__(self, **options):
                super().__init__()
                self.attention, self.options = attention, options

            def forward(self, x):
                return self.attention(x, x, x, **self.options)[0]

        def names(model):
            return [op[0].removeprefix("aten.") for op in record(model, x).operations()]

        with torch.no_grad():
            plain = names(Of(need_weights=False))
            self.assertEqual([name for name in plain if "attention" not in name], ["addmm", "addmm"])
            self.assertEqual(len(plain), 3)
            self.assertIn("_softmax", names(Of(need_weights=True)))
            enabled = torch.backends.mha.get_fastpath_enabled()
            torch.backends.mha.set_fastpath_enabled(False)
            try:
                self.assertGreater(len(names(Of(need_weights=False))), 3)
            finally:
                torch.backends.mha.set_fastpath_enabled(enabled)
        self.assertTrue(torch.backends.mha.get_fastpath_enabled())
        self.assertEqual(nn.MultiheadAttention.forward.__module__, "torch.nn.modules.activation")

    def test_leaves_that_the_forward_makes(self):
        """They want gradients, within: three products forward, their gradients and those of the slope."""
        class Slope(nn.Module):
            def __init__(self):
                super().__init__()
                self.lin = nn.Linear(4, 4)

            def forward(self, x):
                y = x.detach().clone().requires_grad_()
                slope, = torch.autograd.grad(self.lin(y).square().sum(), y, create_graph=True)
                return slope + self.lin(x)

        recording = record_training_step(Slope(), torch.optim.SGD, lambda out: out.sum(), torch.empty(2, 4))
        self.assertEqual(recording.flops, (3 + 5) * 2 * 2 * 4 * 4)

    def test_channels_last_stays(self):
        model = nn.Conv2d(3, 8, 3, bias=False).to(memory_format=torch.channels_last)
        op = next(record(model, torch.empty(1, 3, 8, 8).to(memory_format=torch.channels_last)).operations())
        self.assertEqual(op[3][0][3], [288, 1, 48, 8])

    @unittest.skipUnless(hasattr(torch.compiler, "set_stance"), "PyTorch before 2.6 compiles")
    def test_what_is_compiled_runs_as_written(self):
        class Inner(nn.Module):
            def forward(self, x):
                return torch.compile(lambda y: torch.relu(y) * 2)(x)

        self.assertEqual([op[0] for op in record(Inner(), torch.empty(2, 4)).operations()], ["aten.relu", "aten.mul"])
        self.assertEqual(record(torch.compile(nn.Linear(4, 4)), torch.empty(2, 4)).flops, 64)

    def test_questions_of_the_device(self):
        class Asks(nn.Module):
            def forward(self, x):
                assert torch.cuda.get_device_properties(0).total_memory > torch.cuda.memory_allocated() == 64
                torch.cuda.current_stream().synchronize()
                torch.cuda.Event(enable_timing=True).record()
                return x

        record(Asks(), torch.empty(4, 4))

    def test_products_that_are_not_counted(self):
        class Products(nn.Module):
            def forward(self, x):
                return x @ x[0]

        rec = record(Products(), torch.empty(3, 3))
        self.assertEqual((rec.flops, rec.uncounted, rec.full_flops), (0, {"aten.mv": 18}, 18))
        self.assertIn("18 FLOPs of aten.mv", str(summary(Products(), torch.empty(3, 3), show=False)))

    def test_refused_in_a_sentence(self):
        class Cond(nn.Module):
            def forward(self, x):
                return torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,))

        class Sparse(nn.Module):
            def forward(self, x):
                return torch.sparse.mm(torch.eye(4).to_sparse().to(x.device), x)

        class Pointer(nn.Module):
            def forward(self, x):
                return x + x.data_ptr()

        for model, words in ((Cond(), "higher order operator|compiles a part"), (Sparse(), "asks the CUDA driver"), (Pointer(), "data pointer")):
            with self.assertRaisesRegex(RecordingError, words) as caught:
                record(model, torch.empty(4, 4))
            self.assertIsNotNone(caught.exception.place)

    def test_any_code(self):
        model = Model()
        with Recorder(model) as recorder, torch.no_grad():
            x = torch.empty(1, 8, 64, device="cuda")
            with recorder.stage("first"):
                model(x)
            with recorder.stage("again", repeat=4):
                model(x)
        self.assertEqual([(row["name"], row["repeat"]) for row in recorder.recording.stages if row["flops"]],
                         [("first", 1), ("again", 4)])

    def test_summary(self):
        made = summary(Model(), torch.empty(1, 8, 64), show=False)
        self.assertEqual([row["name"] for row in made.rows][:3], ["", "blocks", "blocks.0"])
        self.assertIn("blocks.2.out", [row["name"] for row in made.rows])


if __name__ == "__main__":
    unittest.main()
