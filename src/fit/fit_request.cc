#include "fit/fit_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/edit_distance.h"
#include "base/error.h"
#include "memory/alloc_conf.h"

namespace modelmeter {
namespace {

constexpr int64_t gibibyte = int64_t{1} << 30;
constexpr int64_t most_frames = 481;

// "24GiB", "24576 MiB", "80gb": bytes.
int64_t bytes_of(const std::string& text) {
  static constexpr std::pair<const char*, double> units[] = {
      {"GiB", gibibyte}, {"MiB", int64_t{1} << 20}, {"TiB", double(gibibyte) * 1024}, {"GB", 1e9}, {"MB", 1e6},
      {"B", 1}};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string unit(end, text.data() + text.size());
  unit.erase(0, unit.find_first_not_of(' '));
  const auto is_called = [&](std::string_view name) {
    return std::equal(unit.begin(), unit.end(), name.begin(), name.end(),
                      [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
  };
  for (const auto& [name, scale] : units) {
    const double bytes = value * scale;
    if (error == std::errc() && is_called(name) && bytes >= 1 && bytes < 1e18) return static_cast<int64_t>(bytes);
  }
  std::vector<std::string> names;
  for (const auto& [name, scale] : units) names.emplace_back(name);
  std::vector<std::string> notes = {"for example --memory 24GiB; units: GiB, MiB, TiB, GB, MB, B"};
  if (std::string meant = did_you_mean(unit, names); !unit.empty() && !meant.empty()) notes.push_back(std::move(meant));
  throw Error(ErrorCode::usage, fmt::format("--memory {}: expected a size with its unit", text), {}, std::move(notes));
}

std::optional<int64_t> workload_number(const AnalyticModel& model, const std::string& field) {
  for (const auto& [name, value] : model.workload_fields()) {
    if (name == field && std::holds_alternative<int64_t>(value)) return std::get<int64_t>(value);
  }
  return std::nullopt;
}

std::vector<std::vector<std::string>> workloads_by_frames(const AnalyticModel& model) {
  if (!workload_number(model, "num_frames")) throw Error("--max-frames: the workload has no frames");
  std::vector<std::vector<std::string>> out;
  for (int64_t frames = 1; frames <= most_frames; frames += 4) {
    out.push_back({fmt::format("workload.num_frames={}", frames)});
  }
  return out;
}

// Of the same shape, in steps of 16 pixels: from an eighth of each side to twice.
std::vector<std::vector<std::string>> workloads_by_size(const AnalyticModel& model) {
  const std::optional<int64_t> height = workload_number(model, "height"), width = workload_number(model, "width");
  if (!height || !width) throw Error("--max-size: the workload has no height and width");
  std::vector<std::vector<std::string>> out;
  for (int64_t sixteenth = 2; sixteenth <= 32; ++sixteenth) {
    const auto side = [&](int64_t now) { return std::max<int64_t>((now * sixteenth / 16 + 8) / 16 * 16, 16); };
    out.push_back({fmt::format("workload.height={}", side(*height)), fmt::format("workload.width={}", side(*width))});
  }
  return out;
}

// Of the configuration's own, the largest first: fewer frames, or less on each side.
std::vector<std::vector<std::string>> smaller_workloads(const AnalyticModel& model) {
  std::vector<std::vector<std::string>> out;
  const std::optional<int64_t> frames = workload_number(model, "num_frames");
  const std::optional<int64_t> height = workload_number(model, "height"), width = workload_number(model, "width");
  for (const int64_t quarters : {3, 2, 1}) {
    const int64_t fewer = frames ? (*frames - 1) * quarters / 4 / 4 * 4 + 1 : 0;
    if (frames && fewer < *frames) out.push_back({fmt::format("workload.num_frames={}", fewer)});
    if (!height || !width || quarters == 1) continue;
    const auto side = [&](int64_t now) { return std::max<int64_t>(now * quarters / 4 / 32 * 32, 32); };
    out.push_back({fmt::format("workload.height={}", side(*height)), fmt::format("workload.width={}", side(*width))});
  }
  return out;
}

void set_memory(const FitRequest& request, const Machine* machine, FitReport& out) {
  out.question.stack = machine != nullptr ? &stack_of(machine->device().architecture) : &default_stack();
  if (!request.memory.empty()) {
    out.question.memory = bytes_of(request.memory);
    return;
  }
  if (machine == nullptr) {
    throw Error(ErrorCode::usage, "which device? device=NAME or --memory SIZE is missing", {},
                {"modelmeter devices lists them"});
  }
  const Device& device = machine->device();
  out.question.memory = usable_memory(device);
  if (device.usable_memory.known()) return;
  out.memory_note = fmt::format("The sheet's {:g} GB are taken as GiB: what the driver keeps of them is not known.",
                                device.memory_size.value / 1e9);
}

}  // namespace

FitReport fit_report(const AnalyticModel& model, const ModelOf& model_of, const Machine* machine,
                     const FitRequest& request) {
  FitReport out;
  set_memory(request, machine, out);
  out.question.machine = machine;
  out.question.settings = parse_alloc_conf(request.alloc_conf);
  out.question.alloc_conf = request.alloc_conf;
  out.question.settings.memory = out.question.memory;
  out.asked_frames = request.max_frames;
  out.asked_size = request.max_size;
  out.model = model.class_name();
  out.workload = model.profile_id();
  out.device = machine != nullptr ? machine->device().name : "";
  FitSearch search(model_of, out.question);
  out.given = search.way({});
  if (!out.given.fits) {
    out.alive = build_memory_report(model, evaluate(model), "", *out.question.stack, out.question.settings);
  }
  out.ways = search.ways();
  if (!out.given.fits) out.smaller = search.best_of_each(smaller_workloads(model));
  if (out.asked_frames) out.max_frames = search.largest(workloads_by_frames(model));
  if (out.asked_size) out.max_size = search.largest(workloads_by_size(model));
  out.evaluated = search.evaluated();
  return out;
}

}  // namespace modelmeter
