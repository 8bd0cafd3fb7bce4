#!/usr/bin/env python3
"""Validates reports against the JSON Schema: the golden ones and fresh ones, in both forms. And the schema itself: each
of a list of broken reports must be refused, so that a schema that accepts everything does not pass.

usage: validate_report.py --schema FILE --program PROGRAM --source FOLDER
"""

import argparse
import copy
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

# Configuration, folder of its reports, overrides. The last one is also broken, field by field.
FRESH = (
    ("wan2_1_t2v_14b", "wan2_1", "runtime=official", "workload=wan2-1-720p"),
    ("wan2_1_t2v_14b", "wan2_1", "runtime=diffusers", "workload=wan2-1-ci-tiny", "report.expand_blocks=true"),
    ("wan2_1_t2v_14b_pipeline", "wan2_1", "runtime=diffusers", "device=a100_sxm"),
    ("deepseek_ocr", "analytic_model", "device=h100_sxm", "host=cuda_graph"),
    ("deepseek_ocr", "analytic_model"),
    ("deepseek_ocr", "analytic_model", "workload=dsocr-base", "runtime.attention=eager", "report.expand_blocks=true"),
    ("deepseek_ocr_2", "analytic_model"),
    ("wan2_1_t2v_14b", "wan2_1", "model=wan_t2v", "workload=wan2-1-ci-tiny", "runtime.scheduler=dpm++"),
    ("wan2_1_t2v_14b", "wan2_1", "runtime=diffusers", "runtime.attention=math", "workload=wan2-1-ci-tiny", "runtime.cfg=false"),
)


def refuse_constant(name):
    raise ValueError(f"{name} is no JSON")


def load(path):
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)


def without(*path):
    def change(report):
        target = report
        for step in path[:-1]:
            target = target[step]
        del target[path[-1]]
    return "without " + "/".join(map(str, path)), change


def with_value(value, *path):
    def change(report):
        target = report
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value
    return "/".join(map(str, path)) + f" = {value!r}", change


BROKEN = (
    [without(field) for field in ("report_id", "model", "workload", "modules", "operator_categories", "module_metrics",
                                  "profile_run_id", "predicted_total_time_ms", "notes", "layer_docs_dir", "totals",
                                  "per_forward", "units")] +
    [without("model", field) for field in ("model_id", "model_variant", "config_path", "hidden_size", "num_layers",
                                           "num_attention_heads", "head_dim", "mlp_intermediate_size",
                                           "vae_downsample_factor", "patch_size", "latent_channels", "notes")] +
    [without("workload", field) for field in ("profile_id", "description", "batch_size", "num_frames", "height", "width",
                                              "num_inference_steps", "text_len")] +
    [without("modules", 1, field) for field in ("module_id", "name", "qualified_class_name", "stage", "parent_id",
                                                "children", "repetition", "repetition_count", "constructor_params")] +
    [without("operator_categories", 0, field) for field in ("category_id", "display_name", "description",
                                                            "match_classes")] +
    [without("module_metrics", 1, field) for field in ("module_id", "profile_id", "calls", "total_time_ms",
                                                       "total_flops_tflops", "total_io_tb", "memory_weights_gb",
                                                       "memory_activations_gb", "memory_kvcache_gb",
                                                       "share_of_model_time", "share_of_model_flops", "operator_breakdown",
                                                       "exact")] +
    [without("module_metrics", 0, "operator_breakdown", 0, field) for field in ("category_id", "calls", "flops_tflops",
                                                                                "io_tb", "share_of_module_flops")] +
    [without("totals", field) for field in ("parameters", "weight_bytes", "kernels", "flops_torch", "flops_full",
                                            "flops_tensor", "flops_vector", "bytes_moved", "bytes_read", "bytes_written",
                                            "activation_peak_bytes", "kv_cache_bytes", "peak_live_bytes")] +
    [with_value(None, "notes"), with_value([], "notes"), with_value("a/b", "report_id"), with_value(1, "report_id"),
     with_value("relative/config.json", "model", "config_path"), with_value(0, "model", "patch_size"),
     with_value([1, 2, 2], "model", "patch_size"), with_value(1.9, "model", "num_layers"),
     with_value(None, "model", "notes"), with_value(0, "workload", "text_len"),
     with_value("5", "workload", "num_frames"), with_value("dit", "modules", 1, "stage"),
     with_value("loop", "modules", 1, "repetition"), with_value("for", "modules", 0, "repetition"),
     with_value(3, "modules", 0, "repetition_count"),
     with_value(None, "modules", 0, "constructor_params", "x"), with_value([1], "modules", 0, "constructor_params", "x"),
     with_value("x", "modules", 0, "children"), with_value(-1, "module_metrics", 0, "total_io_tb"),
     with_value(1.5, "module_metrics", 0, "calls"), with_value(0.0, "module_metrics", 0, "total_time_ms"),
     with_value(1.0, "module_metrics", 0, "share_of_model_time"),
     with_value(1.1, "module_metrics", 0, "share_of_model_flops"), with_value(None, "totals", "peak_live_bytes"),
     with_value(0.0, "predicted_total_time_ms"), with_value("0", "totals", "kernels"),
     with_value(-1, "totals", "kernels"), with_value("here", "layer_docs_dir"), with_value(1, "surprise"),
     with_value(1, "modules", 0, "surprise"), with_value("1e9 bytes", "units", "io_tb")]
)


def check(validator, name, report):
    errors = [f"{name}: {'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(report)]
    if any(not math.isfinite(n) for n in numbers(report)):
        errors.append(f"{name}: a number is not finite")
    return errors


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, float):
        yield value


def main():
    arguments = argparse.ArgumentParser()
    for name in ("--schema", "--program", "--source"):
        arguments.add_argument(name, required=True, type=pathlib.Path)
    options = arguments.parse_args()

    schema = load(options.schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    errors, checked, report = [], 0, None

    for path in sorted((options.source / "tests" / "golden").glob("*.json")):
        errors += check(validator, path.name, load(path))
        checked += 1
    if checked == 0:
        errors.append("there are no golden reports")

    with tempfile.TemporaryDirectory(prefix="modelmeter-schema-") as folder:
        for number, (config, family, *overrides) in enumerate(FRESH):
            subprocess.run([options.program.resolve(), "analyze", "--quiet", "--config-name", config,
                            f"report.run_id=r{number}", "report.output_dir=out", *overrides], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL, env={"MODELMETER_DATA_DIR": str(options.source.resolve())})
            report = load(pathlib.Path(folder) / f"out/r{number}/static_analysis/{family}/report.json")
            errors += check(validator, " ".join([config, *overrides]), report)
            checked += 1

    for name, change in BROKEN:
        broken = copy.deepcopy(report)
        change(broken)
        if validator.is_valid(broken):
            errors.append(f"the schema accepts a report {name}")

    print("\n".join(errors[:20]))
    print(f"{checked} reports valid but for {len(errors)} errors; {len(BROKEN)} broken ones tried")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
