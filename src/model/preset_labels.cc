#include "model/preset_labels.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/fields.h"
#include "config/yaml.h"

namespace modelmeter {
namespace {

using config::View;

// What the workload has in place of the preset's values: "+num_frames=81+height=480".
std::string changes(const View& workload, const View& preset, const std::vector<std::string>& passed_over) {
  std::string out;
  for (const std::string& key : preset.keys()) {
    if (key == "description" || std::find(passed_over.begin(), passed_over.end(), key) != passed_over.end()) continue;
    const config::Node* value = workload.node().find(key);
    if (value == nullptr || config::equal(*value, *preset.node().find(key))) continue;
    std::string text = config::to_yaml(*value);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (const size_t end = text.find("\n..."); end != std::string::npos) text.resize(end);
    out += fmt::format("+{}={}", key, text);
  }
  return out;
}

}  // namespace

PresetLabels preset_labels(const View& workload, const std::vector<std::string>& passed_over) {
  PresetLabels out;
  out.preset_id = out.profile_id = workload.get<std::string>("profile_id");
  out.description = workload.get_or<std::string>("description", "");
  const std::optional<View> presets = workload.optional_child("presets");
  if (!presets || !presets->has(out.preset_id)) return out;
  const View chosen = presets->child(out.preset_id);
  const std::string changed = changes(workload, chosen, passed_over);
  if (changed.empty()) return out;
  const bool described_anew = out.description != chosen.get_or<std::string>("description", "");
  for (const std::string& name : presets->keys()) {
    const View preset = presets->child(name);
    if (!changes(workload, preset, passed_over).empty()) continue;
    out.profile_id = name;
    if (!described_anew) out.description = preset.get_or<std::string>("description", "");
    return out;
  }
  out.profile_id += changed;
  if (!described_anew) out.description = "";
  return out;
}

}  // namespace modelmeter
