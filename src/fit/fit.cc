#include "fit/fit.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "cost/weight_transfers.h"
#include "timing/run_time.h"

namespace modelmeter {
namespace {

// A setting that gives up something for memory.
struct Lever {
  const char *field, *key, *value, *note;  // of AnalyticModel::runtime_fields(); the override
};

constexpr Lever levers[] = {
    {"implementation", "runtime.implementation", "diffusers", "diffusers' code in place of the official one"},
    {"implementation", "runtime.implementation", "official", "the official code in place of diffusers'"},
    {"weight_dtype", "runtime.weight_dtype", "bfloat16", "weights are rounded to bfloat16"},
    // Weight formats (docs/formats.md): one of 8 bits, one of 4.
    {"transformer.weight_format", "transformer.weight_format", "fp8_e4m3",
     "the transformer's weights are kept as float8 and cast when they are used: rounded to 8 bits without a scale"},
    {"transformer.weight_format", "transformer.weight_format", "gguf_q4_k",
     "the transformer's weights are kept in 4.5 bits (GGUF Q4_K) and unpacked when they are used: small changes of the "
     "picture are reported"},
    {"residency", "runtime.residency", "offload", "models wait on the host and come when they run"},
    {"residency", "runtime.residency", "sequential", "each module's weights come when it runs"},
    {"t5_cpu", "runtime.t5_cpu", "true", "the text encoder runs on the CPU"},
    {"vae_tiling", "runtime.vae_tiling", "true", "the autoencoder works in tiles, which are blended"},
};

// What has no format says nothing of it; "none" where it could have one.
std::string value_of(const AnalyticModel& model, const std::string& field) {
  if (field == "transformer.weight_format") {
    const Fields fields = model.runtime_fields();
    const auto has = [&](const char* name) {
      return std::any_of(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; });
    };
    if (!has("transformer.weight_format")) return has("weight_dtype") ? "none" : "";
  }
  for (const auto& [name, value] : model.runtime_fields()) {
    if (name != field) continue;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  }
  return "";
}

using Overrides = std::vector<std::string>;

// Every choice of one value, or none, for each field that the model has, fewest changes first.
std::vector<std::vector<const Lever*>> choices_for(const AnalyticModel& model) {
  std::vector<std::vector<const Lever*>> out = {{}};
  for (size_t first = 0; first < std::size(levers);) {
    size_t end = first;
    while (end < std::size(levers) && std::string(levers[end].field) == levers[first].field) ++end;
    const std::string now = value_of(model, levers[first].field);
    const size_t before = out.size();
    for (size_t i = first; i < end && !now.empty(); ++i) {
      if (now == levers[i].value) continue;
      for (size_t k = 0; k < before; ++k) {
        out.push_back(out[k]);
        out.back().push_back(&levers[i]);
      }
    }
    first = end;
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  return out;
}

Overrides overrides_of(const std::vector<const Lever*>& choice) {
  Overrides out;
  for (const Lever* lever : choice) out.push_back(fmt::format("{}={}", lever->key, lever->value));
  return out;
}

void time_way(const AnalyticModel& model, const FitQuestion& question, FitWay& way) {
  const Evaluation run = evaluate(model);
  Count copied = 0;
  for (const Residence& residence : run.trace().residences) {
    const WeightTransfers moved = weight_transfers(run.trace(), residence);
    copied += moved.to_device + moved.to_host;
    way.on_host |= !residence.on_device;
  }
  way.copied = copied;
  if (question.machine == nullptr) return;
  const double bus = question.machine->device().pcie_bandwidth.value;
  const double copies = bus > 0 ? static_cast<double>(copied) / bus : 0;
  way.seconds = time_run(run, *question.machine).total().wall + copies;
}

bool contains(const Overrides& all, const Overrides& part) {
  return std::all_of(part.begin(), part.end(),
                     [&](const std::string& o) { return std::find(all.begin(), all.end(), o) != all.end(); });
}

bool goes_before(const FitWay& a, const FitWay& b) {
  if (a.seconds && b.seconds && *a.seconds != *b.seconds) return *a.seconds < *b.seconds;
  if (a.copied != b.copied) return a.copied < b.copied;
  return a.overrides.size() < b.overrides.size();
}

}  // namespace

int64_t FitQuestion::capacity() const {
  const int64_t context = stack->cuda_context.value;
  if (memory <= context) {
    throw Error(fmt::format("{} is less than the CUDA context takes, {}", binary_scale(memory).text(memory),
                            binary_scale(context).text(context)));
  }
  return memory - context;
}

FitWay evaluate_way(const ModelOf& model_of, const Overrides& overrides, const FitQuestion& question) {
  const std::unique_ptr<AnalyticModel> model = model_of(overrides);
  FitWay way;
  way.overrides = overrides;
  AllocatorSettings settings = question.settings;
  settings.capacity = 0;
  const RunReplay with_room = replay_run(*model, *question.stack, settings);
  way.allocated = with_room.peak_allocated;
  way.reserved = with_room.peak_reserved;
  way.fits = way.reserved <= question.capacity();
  if (!way.fits && way.allocated <= question.capacity()) {  // it may after freed segments went back
    settings.capacity = question.capacity();
    const RunReplay bounded = replay_run(*model, *question.stack, settings);
    way.failed = bounded.failed;
    way.retries = bounded.retries;
    way.fits = bounded.failed.empty();
    if (way.fits) way.reserved = bounded.peak_reserved;
  } else if (!way.fits) {
    settings.capacity = question.capacity();
    way.failed = replay_run(*model, *question.stack, settings).failed;
  }
  time_way(*model, question, way);
  return way;
}

std::vector<FitWay> ways_that_fit(const ModelOf& model_of, const FitQuestion& question) {
  std::vector<FitWay> fitting;
  for (const std::vector<const Lever*>& choice : choices_for(*model_of({}))) {
    FitWay way;
    try {
      way = evaluate_way(model_of, overrides_of(choice), question);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::internal) throw;
      continue;  // a code base has not all of them
    }
    if (!way.fits) continue;
    const bool needless = std::any_of(fitting.begin(), fitting.end(), [&](const FitWay& other) {
      return contains(way.overrides, other.overrides) && !goes_before(way, other);
    });
    if (needless) continue;
    for (const Lever* lever : choice) way.notes.emplace_back(lever->note);
    fitting.push_back(std::move(way));
  }
  std::stable_sort(fitting.begin(), fitting.end(), goes_before);
  return fitting;
}

std::optional<FitWay> largest_that_fits(const ModelOf& model_of, const std::vector<Overrides>& workloads,
                                        const FitQuestion& question) {
  std::vector<Overrides> accepted;
  for (const Overrides& workload : workloads) {
    try {
      model_of(workload);
      accepted.push_back(workload);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::internal) throw;
    }
  }
  std::optional<FitWay> best;
  size_t low = 0, high = accepted.size();  // all below `low` fit
  while (low < high) {
    const size_t middle = (low + high) / 2;
    FitWay way = evaluate_way(model_of, accepted[middle], question);
    if (way.fits) {
      best = std::move(way);
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return best;
}

}  // namespace modelmeter
