"""The Python package says what the command says."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest

import modelmeter as mm

PROGRAM = os.environ["MODELMETER_PROGRAM"]
TINY = ["workload=wan2-1-ci-tiny"]


def command(*arguments, cwd=None):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, cwd=cwd, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


class Compose(unittest.TestCase):
    def test_is_what_the_command_composes(self):
        cfg = mm.compose("wan2_1_t2v_14b", ["workload.num_frames=81"])
        shown = command("analyze", "--config-name", "wan2_1_t2v_14b", "workload.num_frames=81", "--cfg", "job", "--resolve")
        self.assertEqual(cfg.to_yaml(), shown)
        self.assertEqual(cfg["workload"]["num_frames"], 81)
        self.assertEqual(cfg.workload.num_frames, 81)
        self.assertEqual(cfg.choices["runtime"], "official")

    def test_another_one_with_more_overrides(self):
        cfg = mm.compose("wan2_1_t2v_14b", "workload.num_frames=81")
        other = cfg.override("workload.num_frames=17")
        self.assertEqual((cfg.workload.num_frames, other.workload.num_frames), (81, 17))
        self.assertEqual(pickle.loads(pickle.dumps(other)).workload.num_frames, 17)

    def test_names(self):
        self.assertIn("wan2_1_t2v_14b_pipeline", mm.config_names())


class Errors(unittest.TestCase):
    def test_have_message_place_and_notes(self):
        with self.assertRaises(mm.Error) as caught:
            mm.analyze("wan2_1_t2v_14b", ["workload.num_frame=81"])
        error = caught.exception
        self.assertEqual(error.place.text, "workload.num_frame=81")
        self.assertIn("did you mean 'num_frames'?", " ".join(error.notes))
        self.assertTrue(str(error).startswith("error: "))
        self.assertEqual(str(pickle.loads(pickle.dumps(error))), str(error))

    def test_of_a_name(self):
        with self.assertRaisesRegex(mm.Error, "wan2_1_t2v_14b"):
            mm.compose("wan2_1_t2v_14")
        with self.assertRaisesRegex(mm.Error, "h100_sxm"):
            mm.analyze("wan2_1_t2v_14b", TINY, device="h100_smx")

    def test_what_is_neither_a_configuration_nor_a_recording(self):
        with self.assertRaisesRegex(mm.Error, "no recording nowhere.json"):
            mm.analyze("nowhere.json")
        with self.assertRaisesRegex(mm.Error, "int is no configuration"):
            mm.analyze(3)

    def test_what_is_of_the_command_line_is_refused(self):
        with self.assertRaisesRegex(mm.Error, "command line"):
            mm.analyze("wan2_1_t2v_14b", ["hydra.run.dir=somewhere"])
        with self.assertRaises(mm.Error):
            mm.analyze("wan2_1_t2v_14b", ["workload.num_frames=17,33"])

    def test_of_attributes(self):
        with self.assertRaisesRegex(AttributeError, "num_frames"):
            mm.compose("wan2_1_t2v_14b").workload.num_frame
        with self.assertRaises(AttributeError):
            mm.analyse


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.words = ["wan2_1_t2v_14b_pipeline", "workload=wan2-1-ci-tiny", "device=h100_sxm"]
        cls.report = mm.analyze("wan2_1_t2v_14b_pipeline", TINY, device="h100_sxm")

    def test_is_the_commands_document(self):
        with tempfile.TemporaryDirectory() as folder:
            command("analyze", "--config-name", *self.words, f"report.output_dir={folder}", "report.run_id=run")
            with open(f"{folder}/run/static_analysis/wan2_1/report.json", encoding="utf-8") as file:
                theirs = json.load(file)
        ours = self.report.to_dict()
        for document in (ours, theirs):
            document.pop("report_id")
        self.assertEqual(ours, theirs)

    def test_saved_ones_are_read_again_and_compared(self):
        other = mm.analyze("wan2_1_t2v_14b_pipeline", [*TINY, "runtime.implementation=diffusers"], device="h100_sxm")
        with tempfile.TemporaryDirectory() as folder:
            files = self.report.save(f"{folder}/a", layer_docs=True)
            self.assertIn(f"{folder}/a/layers/diffusion_dit.md", files)
            other.save(f"{folder}/b")
            self.assertEqual(sorted(os.listdir(f"{folder}/b")), ["report.json", "summary.md"])
            read = mm.load(f"{folder}/a")
            self.assertEqual(read.totals, self.report.totals)
            with self.assertRaisesRegex(mm.Error, "no trace"):
                read.explain("diffusion/dit")
            self.assertEqual(
                json.loads(command("compare", f"{folder}/a", f"{folder}/b", "--json")),
                mm.compare(f"{folder}/a", other).to_dict(),
            )
        self.assertIn("runtime.implementation", str(self.report.compare(other)))

    def test_memory_is_the_commands(self):
        theirs = json.loads(command("memory", "--config-name", *self.words, "--json"))
        theirs.pop("reserved_at_peak")
        ours = dict(self.report.memory)
        ours.pop("reserved_at_peak", None)
        self.assertEqual(ours, theirs)

    def test_operators_are_the_commands(self):
        theirs = json.loads(command("operators", "--config-name", *self.words, "--json"))
        ours = self.report.operators()
        self.assertEqual([o.class_name_qualified for o in ours.operators],
                         [o["class_name_qualified"] for o in theirs["operators"]])

    def test_explains_a_layer(self):
        page = self.report.explain("diffusion/dit/block_00/attn/self_attn")
        self.assertIn("WanSelfAttention", page)
        self.assertEqual(page, self.report.layer("diffusion/dit/block_00/attn/self_attn").explain())
        self.assertEqual(page, self.report.explain("diffusion/dit/block x 40/attn/self_attn"))
        with self.assertRaisesRegex(mm.Error, "self_attn"):
            self.report.explain("diffusion/dit/block_00/attn/self_atn")

    def test_layers_add_up(self):
        rows = self.report.rows("layers")
        for figure in ("flops_torch", "bytes_moved", "kernels", "weight_bytes"):
            self.assertEqual(sum(row[figure] for row in rows if row["leaf"]), self.report.totals[figure], figure)
        stages = self.report.rows("stages")
        self.assertEqual(sum(stage["flops_torch"] for stage in stages), self.report.totals["flops_torch"])
        device = sum(stage["device_s"] for stage in stages)
        self.assertAlmostEqual(device, self.report.timing["total"]["device_s"], 9)

    def test_forerunners_names(self):
        report = mm.analyze("wan2_1_t2v_14b", TINY)
        dit = report.layer("diffusion/dit")
        tensor, vector = dit.forward_tensor_core_flops(), dit.forward_cuda_core_flops()
        diffusion = report.stage("diffusion")
        self.assertEqual(tensor + vector, diffusion.exact["flops_full"])
        self.assertEqual(dit.forward_cal_io(), diffusion.exact.bytes_moved)
        self.assertAlmostEqual(dit.forward_arithmetic_intensity(), diffusion.arithmetic_intensity)
        self.assertEqual(dit.forward_memory_weight() / 1e9, diffusion.weights_gb)
        self.assertEqual(dit.forward_memory_kvcache(), 0)
        self.assertIsInstance(dit.metrics, mm.ModuleMetricsSnapshot)
        self.assertEqual({c.category_id for c in self.report.operator_categories} & {"attention_core", "other"},
                         {"attention_core", "other"})
        self.assertIn("diffusion/dit/block_00", [child.module_id for child in dit.children])
        with self.assertRaisesRegex(mm.Error, "diffusion"):
            self.report.stage("difusion")

    def test_tree_and_ranking_are_the_commands(self):
        with tempfile.TemporaryDirectory() as folder:
            shown = command("analyze", "--config-name", *self.words, "--depth", "2", "--by", "time", "report=none", cwd=folder)
        self.assertIn(self.report.tree(2, by="time"), shown)
        self.assertEqual(self.report.top(by="bytes", layers=3)["by"], "bytes")
        with self.assertRaisesRegex(mm.Error, "bytes"):
            self.report.tree(by="byte")

    def test_in_a_notebook(self):
        html = self.report._repr_html_()
        self.assertIn("Time on h100_sxm", html)
        self.assertIn("<table>", html)

    def test_many_threads(self):
        reports = []
        work = lambda: reports.append(mm.analyze("wan2_1_t2v_14b", TINY).totals["flops_torch"])
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(reports), 8)
        self.assertEqual(len(set(reports)), 1)

    def test_ocr(self):
        report = mm.analyze("deepseek_ocr", ["workload=dsocr-tiny"], device="a100_sxm")
        self.assertEqual({row["stage"] for row in report.rows("stages")}, {"vision", "prefill", "decode"})
        seconds = {row["stage"]: row["device_s"] for row in report.rows("stages")}
        self.assertIsNone(seconds["vision"])  # a part of the prefill
        self.assertGreater(min(seconds["prefill"], seconds["decode"]), 0)
        with self.assertRaisesRegex(mm.Error, "leaves alone"):
            report.layer("model/deepseek_ocr_model").forward_cal_io()


class Machines(unittest.TestCase):
    def test_devices_are_the_commands(self):
        self.assertEqual(mm.devices().to_dict(), json.loads(command("devices", "--json")))
        two = mm.devices("h100_sxm", "a100_sxm")
        self.assertEqual([row["device"] for row in two.rows], ["h100_sxm", "a100_sxm"])
        self.assertEqual(str(two), command("devices", "h100_sxm", "a100_sxm"))
        with self.assertRaisesRegex(mm.Error, "h100_sxm"):
            mm.devices("h100_smx")

    def test_sensitivity_is_the_commands(self):
        theirs = json.loads(command("sensitivity", "--config-name", "wan2_1_t2v_14b", *TINY, "device=h100_sxm", "--json"))
        self.assertEqual(mm.sensitivity("wan2_1_t2v_14b", TINY, device="h100_sxm").to_dict(), theirs)
        with self.assertRaisesRegex(mm.Error, "which device"):
            mm.sensitivity("wan2_1_t2v_14b", TINY)

    def test_validate_is_the_commands(self):
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/micro.csv"
            with open(file, "w", encoding="utf-8") as out:
                out.write("device,kind,m,n,k,dtype,bias,us,sets,how,fast_accum,b,h,sq,sk,d,causal,backend,op,read,write,note,cin,cout,stride,size\nh100,gemm,1,5120,5120,bfloat16,True,19.621518,3,graph,,,,,,,,,,,,,,,,\n")
            theirs = json.loads(command("validate", file, "--json"))
            ours = mm.validate(file)
        self.assertEqual(ours.to_dict(), theirs)
        self.assertEqual(len(ours.rows), 1)
        with self.assertRaisesRegex(mm.Error, "which files"):
            mm.validate()
        with self.assertRaisesRegex(mm.Error, "config="):
            mm.validate("x.csv", overrides=["a=1"])


class Recordings(unittest.TestCase):
    FILE = "tests/reference/wan2-1-ci-tiny/diffusers-i2v-flash.json"

    def setUp(self):
        if not os.path.exists(self.FILE) or not os.path.exists(f"{mm._core.data_root()}/configs/_recording/any.yaml"):
            self.skipTest("no recording here")

    def test_is_the_commands(self):
        theirs = json.loads(command("analyze", "--trace", self.FILE, "device=h100_sxm", "report=none", "--json"))
        report = mm.analyze(self.FILE, device="h100_sxm")
        self.assertEqual(report.totals, theirs["totals"])

        class Recorded:
            def save(self, path, file=self.FILE):
                import gzip

                with open(file, "rb") as source, gzip.open(path, "wb") as out:
                    out.write(source.read())

        self.assertEqual(mm.analyze(Recorded(), device="h100_sxm").totals, report.totals)

    def test_of_another_schema_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/other.json", "w", encoding="utf-8") as file:
                json.dump({"schema": "modelmeter.reference/9"}, file)
            with self.assertRaisesRegex(mm.Error, "modelmeter.reference"):
                mm.analyze(f"{folder}/other.json")


class Fits(unittest.TestCase):
    def test_is_the_commands(self):
        words = ["wan2_1_t2v_1_3b", "workload=wan2-1-ci-tiny", "device=rtx_4090"]
        theirs = json.loads(command("fit", "--config-name", *words, "--json"))
        answer = mm.fit("wan2_1_t2v_1_3b", TINY, device="rtx_4090")
        self.assertEqual(answer.to_dict(), theirs)
        self.assertTrue(answer.fits and answer)
        self.assertEqual(answer.given["overrides"], [])

    def test_of_so_many_bytes(self):
        small = mm.fit("wan2_1_t2v_1_3b", TINY, memory=2 * 2**30)
        self.assertFalse(small.fits)
        self.assertEqual(small.to_dict(), mm.fit("wan2_1_t2v_1_3b", TINY, memory="2GiB").to_dict())
        with self.assertRaisesRegex(mm.Error, "which device"):
            mm.fit("wan2_1_t2v_1_3b", TINY)
        with self.assertRaisesRegex(mm.Error, "GiB"):
            mm.fit("wan2_1_t2v_1_3b", TINY, memory="24 cards")


class Tables(unittest.TestCase):
    def test_without_a_library_rows_are_dicts(self):
        from modelmeter._tables import table

        self.assertEqual(table([{"a": 1}], "list"), [{"a": 1}])
        with self.assertRaisesRegex(mm.Error, "available: pandas"):
            table([], "arrow")

    def test_dataframes(self):
        from modelmeter._tables import table

        rows = mm.analyze("wan2_1_t2v_14b", TINY).rows("layers")
        for kind in ("pandas", "polars"):
            try:
                __import__(kind)
            except ImportError:
                continue
            frame = table(rows, kind)
            self.assertEqual((frame.shape[0], list(frame.columns)[0]), (len(rows), "module_id"))


class Import(unittest.TestCase):
    def test_is_light(self):
        text = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", "import modelmeter as mm; mm.compose; mm.analyze; import sys; "
             "print([m for m in ('torch', 'pandas', 'numpy', 'matplotlib') if m in sys.modules])"],
            capture_output=True, text=True, check=True)
        self.assertEqual(text.stdout.strip(), "[]")
        rows = [line.removeprefix("import time:").split("|") for line in text.stderr.splitlines()[1:]]
        ours = sum(int(row[0]) for row in rows if row[2].strip().startswith("modelmeter"))  # microseconds, of its own
        self.assertLess(ours, 200_000)

    def test_every_name_is_there(self):
        for name in mm.__all__:
            if mm._NAMES.get(name) != "modelmeter.recording":
                self.assertIsNotNone(getattr(mm, name))

    def test_every_name_is_typed(self):
        with open(mm.__file__, encoding="utf-8") as file:
            text = file.read()
        typed = text[text.index("if TYPE_CHECKING"):text.index("_MODULES")]
        for name in mm._NAMES:
            self.assertRegex(typed, rf"\b{name}\b")


class Command(unittest.TestCase):
    def test_is_the_program(self):
        line = ["analyze", "--config-name", "wan2_1_t2v_14b", *TINY, "report=none", "--json"]
        done = subprocess.run([sys.executable, "-m", "modelmeter", *line], capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(done.stdout), json.loads(command(*line)))
        wrong = subprocess.run([sys.executable, "-m", "modelmeter", "analyse"], capture_output=True, text=True, check=False)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("did you mean 'analyze'?", wrong.stderr)


class Module(unittest.TestCase):
    def test_loads_after_a_package_that_brought_the_c_plus_plus_library(self):
        # `import torch, modelmeter`: a thread's variable of libstdc++'s has no fixed place once it was loaded late.
        from modelmeter import _core

        shown = subprocess.run(["readelf", "-rW", _core.__file__], capture_output=True, text=True, check=True).stdout
        self.assertEqual([line for line in shown.splitlines() if "TPOFF64" in line and "DTPOFF64" not in line and "_ZSt" in line], [])


if __name__ == "__main__":
    unittest.main()
