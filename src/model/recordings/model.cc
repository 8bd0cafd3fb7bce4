#include "model/recordings/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>

#include "base/checked.h"
#include "base/error.h"
#include "base/json.h"
#include "model/recordings/replay.h"

namespace modelmeter::recordings {
namespace {

class RecordedForward final : public Stage {
 public:
  RecordedForward(const Recording& recording, const RecordedLayers& layers, const RecordedStage& part, size_t number)
      : Stage(part.name, part.name, {}), recording_(recording), layers_(layers), part_(part), number_(number) {}

  using Stage::forwards;
  const BaseLayer& layer() const override { return layers_.root(); }
  std::vector<Dependence> depends_on() const override { return {}; }
  int64_t forwards(const RunValues&) const override { return part_.repeat; }
  void forward(Tracer& tracer, const RunValues&) const override {
    // Weights are counted where the stage is recorded; what else was there before are inputs.
    const Count inputs = recording_.totals.live_at_start - weight_and_buffer_bytes();
    Trace& trace = tracer.trace();
    trace.given_bytes = checked_add(trace.given_bytes, inputs.to_int64("live memory at the start"), "live memory");
    const bool after_others = number_ > 0 && trace.residences.size() == number_;  // as AnalyticModel::trace() has it
    replay(recording_, part_, layers_, after_others, tracer);
  }

 private:
  const Recording& recording_;
  const RecordedLayers& layers_;
  const RecordedStage& part_;
  const size_t number_;
};

// "llama" of "runs/llama.json.gz".
std::string name_of_file(const std::string& file) {
  std::string name = std::filesystem::path(file).filename().string();
  for (const char* ending : {".gz", ".json"}) {
    const std::string end = ending;
    if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0) {
      name.resize(name.size() - end.size());
    }
  }
  return name;
}

std::string trace_file(const config::View& config, const DataFiles& files) {
  const config::View model = config.child("model");
  model.require_known_keys({"trace"});
  if (config.has("runtime")) config.child("runtime").require_known_keys({"execution"});
  return files.find(model.at("trace"));
}

// What a JSON text has of single values.
void add_values(const std::string& text, Fields& out) {
  const Json values = parse_json(text);
  if (!values.is_object()) return;
  for (const auto& [key, value] : values.items()) {
    if (value.is_boolean()) {
      out.emplace_back(key, value.get<bool>());
    } else if (value.is_number_integer()) {
      out.emplace_back(key, value.get<int64_t>());
    } else if (value.is_number_float()) {
      out.emplace_back(key, value.get<double>());
    } else if (value.is_string()) {
      out.emplace_back(key, value.get<std::string>());
    }
  }
}

}  // namespace

RecordedModel::RecordedModel(const config::View& config, const DataFiles& files)
    : RecordedModel(read_recording_file(trace_file(config, files)), name_of_file(trace_file(config, files))) {}

RecordedModel::RecordedModel(Recording recording, std::string name)
    : recording_(std::move(recording)), name_(std::move(name)) {
  parts_ = recording_.stages;
  if (parts_.empty()) parts_.push_back({"forward", 0, recording_.ops.size(), 1});
  layers_ = std::make_unique<RecordedLayers>(recording_);
  for (const RecordedStage& part : parts_) {
    stages_.push_back(std::make_unique<RecordedForward>(recording_, *layers_, part, stages_.size()));
  }
  check();
}

RecordedModel::~RecordedModel() = default;

void RecordedModel::check() const {
  if (recording_.ops.empty()) {
    throw Error(fmt::format("{}: the recording has no kernels{}", name_,
                            recording_.sections.empty() ? "" : ", but the sums of its sections alone"));
  }
  check_totals();
  const int64_t weights = stages_.front()->weight_and_buffer_bytes();
  if (recording_.totals.live_at_start < weights) {
    throw Error(fmt::format("{}: live_at_start is {} bytes, parameters and buffers have {}", name_,
                            to_string(recording_.totals.live_at_start), weights));
  }
}

// The file's sums are those of its kernels, each stage once.
void RecordedModel::check_totals() const {
  Count kernels = 0, flops = 0, read = 0, write = 0;
  for (const RecordedOp& op : recording_.ops) {
    kernels += op.counted ? 1 : 0;
    flops += op.flops;
    read += op.read;
    write += op.write;
  }
  const RecordedTotals& t = recording_.totals;
  const std::tuple<const char*, Count, Count> sums[] = {
      {"kernels", t.kernels, kernels}, {"flops", t.flops, flops}, {"read", t.read, read}, {"write", t.write, write}};
  for (const auto& [what, said, is] : sums) {
    if (said == is) continue;
    throw Error(fmt::format("{}: totals: {} is {}, that of the sections adds up to {}", name_, what, to_string(said),
                            to_string(is)));
  }
}

void RecordedModel::set_execution(Execution execution) {
  if (execution != Execution::eager && recording_.storages.empty()) {
    throw Error(fmt::format("runtime.execution: {} needs a recording that says in which memory each operand lies",
                            name_of(execution)),
                {}, {"its field \"storages\", docs/recordings.md"});
  }
  AnalyticModel::set_execution(execution);
}

std::string RecordedModel::class_name() const { return std::string(layers_->root().class_name()); }

Fields RecordedModel::model_fields() const {
  Fields out = {{"model_variant", recording_.variant.empty() ? class_name() : recording_.variant},
                {"class", class_name()},
                {"code", recording_.code}};
  if (!recording_.weights.empty()) out.emplace_back("weights", recording_.weights);
  add_values(recording_.config, out);
  return out;
}

Fields RecordedModel::workload_fields() const {
  Fields out = {{"profile_id", name_}};
  add_values(recording_.workload, out);
  for (const RecordedStage& part : parts_) {
    if (part.repeat > 1) out.emplace_back("runs_of_" + part.name, part.repeat);
  }
  return out;
}

Fields RecordedModel::runtime_fields() const {
  return {{"implementation", recording_.implementation}, {"attention", recording_.attention}};
}

std::vector<std::string> RecordedModel::notes() const {
  if (!recording_.storages.empty()) return {};
  return {"the recording does not say in which memory each operand lies: what is alive is matched by size"};
}

Residents RecordedModel::residents(const Stage& running, const RunValues& run) const {
  Residents out = AnalyticModel::residents(running, run);
  if (parts_.size() > 1) out.list.front().what = "the model";  // of all stages
  return out;
}

std::vector<OperatorCategory> RecordedModel::categories() const {
  return {{"attention", "Attention", "kernels of modules of attention", {"attention", "attn"}, {}, true},
          {"linear", "Linear", "matrix products of modules of their own", {"linear", "conv1d"}, {}, true},
          {"convolution", "Convolution", "convolutions", {"conv"}, {}, true},
          {"normalization", "Normalization", "norms", {"norm"}, {}, true},
          {"embedding", "Embedding", "look-ups", {"embedding"}, {}, true},
          {"activation", "Activation", "activations", {"gelu", "silu", "relu", "sigmoid", "swish", "tanh"}, {}, true},
          {"other", "Other", "all else", {}, {}}};
}

ReportNames RecordedModel::names() const {
  ReportNames out;
  // "transformers.models.llama.modeling_llama.LlamaForCausalLM", or "diffusers 0.42.1 …"
  const std::string& code = recording_.code;
  const size_t space = code.find(' '), dot = code.rfind('.');
  if (space != std::string::npos) out.class_prefix = code.substr(0, space) + ".";
  if (space == std::string::npos && dot != std::string::npos) out.class_prefix = code.substr(0, dot + 1);
  return out;
}

// What a trace of it does not keep: names of kernels that launch nothing, how often modules were called.
void RecordedModel::keep_names(const Stage& stage, Recording& out) const {
  const auto part =
      std::find_if(parts_.begin(), parts_.end(), [&](const RecordedStage& p) { return p.name == stage.id(); });
  const bool whole = out.ops.size() == recording_.ops.size();
  const size_t first = whole || part == parts_.end() ? 0 : part->first;
  if (first + out.ops.size() > recording_.ops.size()) return;
  for (size_t i = 0; i < out.ops.size(); ++i) {
    if (!out.ops[i].counted) out.ops[i].kernel = recording_.ops[first + i].kernel;
  }
  if (!whole) return;
  std::map<std::string, int64_t> calls;
  for (const RecordedModule& m : recording_.modules) calls[m.name] = m.calls;
  for (RecordedModule& m : out.modules) {
    if (const auto known = calls.find(m.name); known != calls.end()) m.calls = known->second;
  }
}

void RecordedModel::describe(const Stage& stage, Recording& header) const {
  keep_names(stage, header);
  header.code = recording_.code;
  header.implementation = recording_.implementation;
  header.attention = recording_.attention;
  header.variant = recording_.variant;
  header.precision = recording_.precision;
  header.case_name = recording_.case_name;
  header.weights = recording_.weights;
  header.generation = recording_.generation;
  header.config = recording_.config;
  header.workload = recording_.workload;
  header.parallel = recording_.parallel;
}

}  // namespace modelmeter::recordings
