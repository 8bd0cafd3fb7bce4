#include "model/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "model/deepseek_ocr/code_base.h"
#include "model/recordings/model.h"
#include "model/wan/model.h"
#include "model/wan/recorded.h"

namespace modelmeter {
namespace {

template <class Model>
std::unique_ptr<AnalyticModel> make(const config::View& config, const DataFiles& files) {
  return std::make_unique<Model>(config, files);
}

struct Family {
  const char* target;
  std::unique_ptr<AnalyticModel> (*build)(const config::View& config, const DataFiles& files);
  // Of recordings: the classes of their root modules, and the configuration that their header says.
  std::vector<std::string> recorded_classes;
  std::function<config::Node(const Recording& recording, const std::string& root_class)> configuration;
  // Stages in the order of a pipeline, and those that are forwards of a whole model. "diffusion" stands for
  // "diffusion/dit" too.
  std::vector<std::string> stage_order, whole_forwards;
  // Nodes of a configuration that this family reads, beside common_nodes.
  std::vector<std::string> nodes;
  std::vector<HeaderReading> (*readings)(const Recording& recording, const std::string& root_class) = nullptr;
};

// Nodes that every configuration may have.
const std::vector<std::string>& common_nodes() {
  static const std::vector<std::string> names = {"hf",     "runtime", "workload", "model",  "report",
                                                 "device", "host",    "stack",    "cluster"};
  return names;
}

std::vector<Family> all_families() {
  std::vector<Family> table = {
      {"modelmeter.wan2_1.Wan2_1Model",
       make<wan::Wan2_1Model>,
       wan::recorded_classes(),
       wan::configuration_of,
       {"text_encoder", "image_encoder", "vae/encode", "diffusion", "vae/decode"},
       {"diffusion/dit"},
       {"transformer", "text_encoder", "image_encoder", "vae", "plan"},
       wan::readings_of},
  };
  for (const deepseek_ocr::CodeBase* code : deepseek_ocr::code_bases()) {
    table.push_back(
        {code->target.c_str(), code->build, code->recorded_classes,
         [code](const Recording& recording, const std::string&) { return code->configuration_of(recording); },
         code->stages, code->whole_forwards, code->nodes, nullptr});
  }
  table.push_back({"modelmeter.Recording", make<recordings::RecordedModel>, {}, nullptr, {}, {}, {}, nullptr});
  return table;
}

const std::vector<Family>& families() {
  static const std::vector<Family> table = all_families();
  return table;
}

using ModelRegistry = config::Registry<std::unique_ptr<AnalyticModel>, const config::View&, const DataFiles&>;

const ModelRegistry& models() {
  static const ModelRegistry registry = [] {
    ModelRegistry r("model");
    for (const Family& family : families()) {
      r.add(family.target, [&family](const config::View&, const config::View& root, const DataFiles& files) {
        std::vector<std::string> known = common_nodes();
        known.insert(known.end(), family.nodes.begin(), family.nodes.end());
        root.require_known_keys(known);
        return family.build(root, files);
      });
    }
    return r;
  }();
  return registry;
}

struct RecordedRoot {
  const Family* family;
  std::string klass;
};

// The root comes first; a part of a model, recorded by itself, may stand below modules that did not run.
RecordedRoot root_of(const Recording& recording) {
  if (recording.modules.empty()) throw Error("the reference names no module");
  std::vector<std::string> known;
  for (const RecordedModule& module : recording.modules) {
    for (const Family& family : families()) {
      for (const std::string& klass : family.recorded_classes) {
        if (klass == module.klass) return {&family, klass};
      }
    }
  }
  for (const Family& family : families()) {
    known.insert(known.end(), family.recorded_classes.begin(), family.recorded_classes.end());
  }
  const std::string& klass = recording.modules.front().klass;
  throw Error(fmt::format("the reference is of a {}, which modelmeter has no twin of", klass), {},
              name_notes(klass, known, "known"));
}

// runtime.execution.
Execution execution_of(const config::View& config) {
  if (!config.has("runtime") || !config.child("runtime").has("execution")) return Execution::eager;
  std::vector<std::string> names;
  for (const Execution execution : execution_modes) names.emplace_back(name_of(execution));
  const std::string name = config.child("runtime").get_choice("execution", names);
  return *std::find_if(std::begin(execution_modes), std::end(execution_modes),
                       [&](Execution execution) { return name == name_of(execution); });
}

// "diffusion/dit" is within "diffusion", as "diffusion" is.
bool within(const std::string& stage, const std::string& whole) {
  return stage == whole || stage.compare(0, whole.size() + 1, whole + "/") == 0;
}

}  // namespace

std::unique_ptr<AnalyticModel> build_model(const config::View& config, const DataFiles& files) {
  return config::with_all_errors([&] {
    std::unique_ptr<AnalyticModel> model = models().instantiate(config.child("model"), config, files);
    model->set_execution(execution_of(config));
    return model;
  });
}

std::unique_ptr<AnalyticModel> model_of_recording(Recording recording, std::string name) {
  return std::make_unique<recordings::RecordedModel>(std::move(recording), std::move(name));
}

config::Node configuration_of(const Recording& recording) {
  const RecordedRoot root = root_of(recording);
  return root.family->configuration(recording, root.klass);
}

std::vector<HeaderReading> readings_of(const Recording& recording) {
  const RecordedRoot root = root_of(recording);
  if (root.family->readings == nullptr) return {};
  return root.family->readings(recording, root.klass);
}

size_t place_in_pipeline(const std::string& stage) {
  size_t place = 0;
  for (const Family& family : families()) {
    for (const std::string& name : family.stage_order) {
      if (within(stage, name)) return place;
      ++place;
    }
  }
  return place;
}

bool is_whole_forward(const std::string& stage) {
  for (const Family& family : families()) {
    for (const std::string& name : family.whole_forwards) {
      if (within(stage, name)) return true;
    }
  }
  return false;
}

std::shared_ptr<const Stage> stage_of_recording(const Recording& recording) {
  const config::Node configuration = configuration_of(recording);
  const std::shared_ptr<const AnalyticModel> model = build_model(config::View(configuration), {});
  return {model, model->stages().front().get()};
}

}  // namespace modelmeter
