// Published runs on one device: wan.csv and deepseek_ocr.csv. What their code, device or workload leaves open is not
// compared.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "verify/forward_launches.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

bool has_any(const std::string& text, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return text.find(part) != std::string::npos; });
}

// Wan's own command: --dit_fsdp --t5_fsdp --ulysses_size N.
bool is_official_plan(const CsvTable& table, size_t i) {
  return table.text(i, "parallelism").rfind("FSDP(DiT+T5)+USP ", 0) == 0;
}

// Why a row of wan.csv is not compared; "" where all that decides is stated.
std::string left_open(const CsvTable& table, size_t i) {
  const std::string &attention = table.text(i, "attention"), &parallelism = table.text(i, "parallelism"),
                    &notes = table.text(i, "notes"), &dtype = table.text(i, "dtype"),
                    &kind = table.text(i, "time_kind");
  const bool planned = is_official_plan(table, i);
  if (table.number(i, "gpus") != 1 && !planned) return "a run on several devices, by a plan that is not modelled";
  if (!planned && parallelism != "none" && parallelism != "none + torch.compile")
    return "another code base, whose scheme is not stated";
  if (has_any(attention, {"sage", "attn3", "FA3", "FA4", "VSA"})) return "an attention kernel that no rule is for";
  if (kind != "total" && kind != "per_step") return "a time of a part of the run";
  if (table.number(i, "frames") <= 0 || table.number(i, "steps") <= 0 || table.number(i, "height") <= 0 ||
      table.number(i, "width") <= 0) {
    return "its workload is not stated";
  }
  if (table.number(i, "cfg_forwards") != 2) return "how many forwards a step has is not stated, or one (distilled)";
  const bool full = notes.find("thresh none") != std::string::npos || notes.find("thresh 0.00") != std::string::npos;
  if (has_any(notes, {"thresh"}) && !full) return "a cache skips steps, how many is not stated";
  if (has_any(dtype, {"fp8", "NVFP4"})) return "weights in another format of another code base";
  if (table.text(i, "offload") == "num_persistent_param_in_dit=0") return "weights come over the bus for each forward";
  return "";
}

const char* pipeline_of(const std::string& model) {
  static const std::map<std::string, const char*> names = {{"Wan2.1-T2V-14B", "wan2_1_t2v_14b_pipeline"},
                                                           {"Wan2.1-T2V-1.3B", "wan2_1_t2v_1_3b_pipeline"},
                                                           {"Wan2.1-I2V-14B-480P", "wan2_1_i2v_14b_480p_pipeline"},
                                                           {"Wan2.1-I2V-14B-720P", "wan2_1_i2v_14b_720p_pipeline"},
                                                           {"Wan2.2-T2V-A14B", "wan2_2_t2v_a14b_pipeline"},
                                                           {"Wan2.2-I2V-A14B", "wan2_2_i2v_a14b_pipeline"},
                                                           {"Wan2.2-TI2V-5B", "wan2_2_ti2v_5b_pipeline"}};
  const auto found = names.find(model);
  return found == names.end() ? nullptr : found->second;
}

RowOutcome wan_row(const CsvTable& table, size_t i, const ValidationContext& context) {
  const char* pipeline = pipeline_of(table.text(i, "model"));
  if (pipeline == nullptr) return {{}, "no configuration is known for the model"};
  const std::string& device = table.text(i, "gpu_name");
  std::optional<Machine> machine = machine_named(device, context);
  if (!machine) return {{}, unknown_device(device)};
  if (const std::string why = left_open(table, i); !why.empty()) return {{}, why};
  KnownForward known{pipeline, "diffusion/dit", "published runs", {}};
  for (const auto& [column, key] : {std::pair{"height", "height"}, std::pair{"width", "width"},
                                    std::pair{"frames", "num_frames"}, std::pair{"steps", "num_inference_steps"}}) {
    known.overrides.push_back(fmt::format("workload.{}={:.0f}", key, table.number(i, column)));
  }
  if (is_official_plan(table, i)) {
    machine = connected(*machine, context);
    if (!machine) return {{}, fmt::format("no file of configs/cluster is of {}", device)};
    known.overrides.push_back(fmt::format("plan.ulysses={:.0f}", table.number(i, "gpus")));
    known.overrides.emplace_back("plan.fsdp=true");
  }
  if (has_any(table.text(i, "parallelism"), {"compile"})) known.overrides.emplace_back("runtime.execution=compiled");
  const bool step = table.text(i, "time_kind") == "per_step";
  const TimedForward run = timed_forward(known, *machine, context, !step);
  StageTime time = step ? run.time.stages[run.stage] : run.time.total();
  const double forwards = step ? table.number(i, "cfg_forwards") : 1;
  ValidationRow row;
  row.device = machine->device().id;
  row.name = fmt::format("{} {}p{} {}{}", table.text(i, "model"), table.text(i, "height"), table.text(i, "frames"),
                         device, step ? ", a step" : "");
  row.group = "published runs";
  row.predicted_wall_ms = time.wall * forwards / one_ms;
  row.measured_wall_ms = table.number(i, "time_s") / one_ms;
  row.inside =
      *row.measured_wall_ms >= time.low * forwards / one_ms && *row.measured_wall_ms <= time.high * forwards / one_ms;
  return {std::move(row), ""};
}

// The decode of the first page: 64 tokens behind a page of six tiles.
RowOutcome decode_row(const CsvTable& table, size_t i, const Machine& machine, const ValidationContext& context) {
  const KnownForward known{
      "deepseek_ocr", "decode", "published pages", {"workload=dsocr-gundam", "workload.max_new_tokens=65"}};
  const TimedForward run = timed_forward(known, machine, context, true);
  const StageTime& stage = run.time.stages[run.stage];
  ValidationRow row;
  row.device = machine.device().id;
  row.name = "64 decode steps of a page in 6 tiles";
  row.group = known.group;
  row.predicted_device_ms = stage.part.device / one_ms;
  row.measured_device_ms = table.number(i, "value");
  return {std::move(row), ""};
}

RowOutcome page_row(const CsvTable& table, size_t i, const ValidationContext& context) {
  const std::string &metric = table.text(i, "metric"), &workload = table.text(i, "workload");
  const std::optional<Machine> machine = machine_named(table.text(i, "device"), context);
  if (!machine) return {{}, unknown_device(table.text(i, "device"))};
  if (!has_any(table.text(i, "framework"), {"HF transformers"})) return {{}, "another code base"};
  if (metric == "sum_gpu_kernel_time" && has_any(workload, {"range of decode"})) {
    return decode_row(table, i, *machine, context);
  }
  if (has_any(metric, {"mfu"})) return {{}, "a share of FLOPs that were counted otherwise"};
  if (has_any(metric, {"kernel", "launches"})) return {{}, "kernels without the sizes of what they work on"};
  if (has_any(metric, {"time_mean", "tokens_per_s"})) {
    return {{},
            "bound by a host that is not stated, with a profiler attached, over pages of sizes that are not stated"};
  }
  return {{}, fmt::format("no rule for the metric '{}'", metric)};
}

}  // namespace

Validation validate_published(const std::string& path, const ValidationContext& context) {
  const CsvTable table(path);
  table.expect_columns({"model", "task", "height", "width", "frames", "steps", "cfg_forwards", "attention", "gpus",
                        "gpu_name", "time_s", "time_kind"},
                       "wan.csv");
  return validate_rows(table, path, {"gpu_name", "model"}, [&](size_t i) { return wan_row(table, i, context); });
}

Validation validate_published_pages(const std::string& path, const ValidationContext& context) {
  const CsvTable table(path);
  table.expect_columns({"workload", "device", "framework", "metric", "value", "unit"}, "deepseek_ocr.csv");
  return validate_rows(table, path, {"device", "metric"}, [&](size_t i) { return page_row(table, i, context); });
}

}  // namespace modelmeter
