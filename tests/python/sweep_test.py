"""Sweeps from Python are the command's."""

import csv
import os
import subprocess
import tempfile
import unittest

import modelmeter as mm

PROGRAM = os.environ["MODELMETER_PROGRAM"]
AXES = {"workload.num_frames": [17, 49, 81], "runtime.residency": ["all", "offload"]}
FIGURES = ("flops_torch", "bytes_moved", "kernels", "peak_live_bytes", "resident_bytes")


class Sweeps(unittest.TestCase):
    def test_is_the_commands(self):
        rows = list(mm.sweep("wan2_1_t2v_14b_pipeline", AXES, progress=False))
        with tempfile.TemporaryDirectory() as folder:
            words = ["workload.num_frames=17,49,81", "runtime.residency=all,offload", f"hydra.sweep.dir={folder}"]
            subprocess.run([PROGRAM, "analyze", "-m", "--config-name", "wan2_1_t2v_14b_pipeline", *words, "report=none", "--quiet"],
                           check=True, capture_output=True, cwd=folder)
            with open(f"{folder}/sweep.csv", encoding="utf-8") as file:
                theirs = list(csv.DictReader(file))
        self.assertEqual([row["job"] for row in rows], list(range(6)))
        for name in (*AXES, *FIGURES):
            self.assertEqual([str(row[name]) for row in rows], [row[name] for row in theirs], name)

    def test_comes_in_order_and_as_a_table(self):
        sweep = mm.sweep("wan2_1_t2v_14b", {"workload.num_frames": "range(5,405,4)", "workload.num_inference_steps": [10, 50]},
                         progress=False, threads=2)
        jobs = [row["job"] for row in sweep]
        self.assertEqual(jobs, list(range(200)))
        self.assertEqual((len(sweep), sweep.progress), (200, (200, 200, 0)))
        rows = sweep.rows()
        self.assertEqual(len(rows), 200)
        self.assertNotIn("latency_s", rows[0])  # no device, no times
        self.assertEqual(len(sweep.table("list")), 200)

    def test_of_devices_has_times(self):
        rows = mm.sweep("wan2_1_t2v_14b", overrides=["workload=wan2-1-ci-tiny"], device=["h100_sxm", "a100_sxm"],
                        progress=False).rows()
        self.assertEqual([row["device"] for row in rows], ["h100_sxm", "a100_sxm"])
        report = mm.analyze("wan2_1_t2v_14b", ["workload=wan2-1-ci-tiny"], device="h100_sxm")
        self.assertAlmostEqual(rows[0]["latency_s"], report.timing["total"]["wall_s"])

    def test_jobs_that_are_refused_have_their_error(self):
        rows = mm.sweep("wan2_1_t2v_14b", {"workload.num_inference_steps": [1, -1]}, progress=False).rows()
        self.assertIsNone(rows[0]["error"])
        self.assertIn("num_inference_steps", rows[1]["error"])

    def test_a_store_keeps_them(self):
        with tempfile.TemporaryDirectory() as folder:
            store = f"{folder}/wan.sqlite"
            first = mm.sweep("wan2_1_t2v_14b", AXES, store=store, progress=False).rows()
            mm.sweep("wan2_1_t2v_14b", {"workload.num_frames": [17]}, store=store, progress=False).rows()
            self.assertEqual(mm.sweep("wan2_1_t2v_14b", AXES, store=store, progress=False).rows(), first)

    def test_of_a_composed_configuration(self):
        cfg = mm.compose("wan2_1_t2v_14b", ["workload=wan2-1-ci-tiny"])
        rows = mm.sweep(cfg, {"runtime.cfg": [True, False]}, progress=False).rows()
        self.assertEqual(rows[1]["flops_torch"], mm.analyze(cfg.override("runtime.cfg=false")).totals["flops_torch"])

    def test_ends_when_it_is_cancelled(self):
        sweep = mm.sweep("wan2_1_t2v_14b", {"workload.num_frames": "range(5,40005,4)", "workload.height": "range(256,1280,16)"},
                         progress=False)
        next(sweep)
        with self.assertRaisesRegex(mm.Error, "cancelled"):
            sweep.cancel()
            sweep.rows()
        self.assertLess(sweep.progress[1], len_of(sweep))

    def test_bad_words(self):
        with self.assertRaisesRegex(mm.Error, "num_frames"):
            mm.sweep("wan2_1_t2v_14b", {"workload.num_frame": [1, 2]}, progress=False).rows()
        with self.assertRaisesRegex(mm.Error, "wan2_1_t2v_14b"):
            list(mm.sweep("wan2_1_t2v_14", {"workload.num_frames": [17]}, progress=False))
        with self.assertRaisesRegex(mm.Error, "no values"):
            mm.sweep("wan2_1_t2v_14b", {"workload.num_frames": []})
        with self.assertRaisesRegex(mm.Error, "command line"):
            mm.sweep("wan2_1_t2v_14b", ["sweep.shard=1/2"])
        with self.assertRaisesRegex(mm.Error, "available: threads, ray"):
            mm.sweep("wan2_1_t2v_14b", AXES, engine="spark")
        with self.assertRaisesRegex(mm.Error, "one or more"):
            mm.sweep("wan2_1_t2v_14b", AXES, threads=0)

    def test_words_of_values(self):
        from modelmeter._sweep import axis_word

        self.assertEqual(axis_word("a.b", [1, 2.5, True, None, "x", "a b", "it's", [1, "y"]]),
                         r"a.b=1,2.5,true,null,x,'a b','it\'s',[1,y]")
        self.assertEqual(axis_word("a", "range(1,3)"), "a=range(1,3)")

    def test_on_ray(self):
        try:
            import ray
        except ImportError:
            self.skipTest("ray is not installed")
        expected = mm.sweep("wan2_1_t2v_14b", AXES, progress=False).rows()
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            self.assertEqual(mm.sweep("wan2_1_t2v_14b", AXES, progress=False, engine="ray").rows(), expected)
        finally:
            ray.shutdown()

    def test_without_ray_it_says_so(self):
        try:
            import ray  # noqa: F401
        except ImportError:
            with self.assertRaisesRegex(mm.Error, "pip install ray"):
                mm.sweep("wan2_1_t2v_14b", AXES, engine="ray")


def len_of(sweep):
    return sweep.progress[0]


if __name__ == "__main__":
    unittest.main()
