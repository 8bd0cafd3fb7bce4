#include "cli/setting_notes.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/data_root.h"
#include "base/edit_distance.h"
#include "base/error.h"
#include "config/compose.h"

namespace modelmeter::cli {
namespace {

using Names = std::vector<std::string>;

// The value of an option among arguments that are not read yet.
std::string value_of(const Names& arguments, const std::string& name, const std::string& brief) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].rfind(name + "=", 0) == 0) return arguments[i].substr(name.size() + 1);
    if ((arguments[i] == name || arguments[i] == brief) && i + 1 < arguments.size()) return arguments[i + 1];
  }
  return "";
}

void add_keys(const config::Node& map, const std::string& path, Names& out) {
  for (const config::Entry& entry : map.entries()) {
    const std::string key = path.empty() ? entry.key.text : fmt::format("{}.{}", path, entry.key.text);
    if (entry.value.is(config::Kind::map)) {
      add_keys(entry.value, key, out);
    } else {
      out.push_back(key);
    }
  }
}

std::ptrdiff_t depth(const std::string& key) { return std::count(key.begin(), key.end(), '.'); }

// Groups, then the keys of the configuration, those that are nearest to its root first.
Names known_settings(const Names& arguments) {
  const std::string path = value_of(arguments, "--config-path", "-cp");
  const std::string dir = value_of(arguments, "--config-dir", "-cd");
  const config::Repository repository(path.empty() ? find_data_root() + "/configs" : path,
                                      dir.empty() ? Names{} : Names{dir});
  Names out = repository.groups("");
  const std::string name = value_of(arguments, "--config-name", "-cn");
  if (name.empty()) return out;
  Names keys;
  add_keys(config::compose(repository, name, {}, {}).config, "", keys);
  std::stable_sort(keys.begin(), keys.end(),
                   [&](const std::string& a, const std::string& b) { return depth(a) < depth(b); });
  out.insert(out.end(), keys.begin(), keys.end());
  return out;
}

std::string last_part(const std::string& key) { return key.substr(key.rfind('.') + 1); }

// One edit away, two in a long name: --stage is no misspelt stack.
std::string misspelt(const std::string& name, const Names& known) {
  constexpr size_t long_name = 6;
  int least = name.size() < long_name ? 2 : 3;
  std::string out;
  for (const std::string& one : known) {
    if (const int edits = edit_distance(name, one); edits < least) {
      least = edits;
      out = one;
    }
  }
  return out;
}

// Those that are the name, else those whose last part is it, nearest to the root; else the same of what is nearest to
// it.
Names settings_like(const std::string& name, const Names& known) {
  constexpr size_t most = 3;
  Names whole, part, parts;
  for (const std::string& key : known) {
    if (key == name) whole.push_back(key);
    if (last_part(key) == name) part.push_back(key);
    parts.push_back(last_part(key));
  }
  Names& out = whole.empty() ? part : whole;
  if (out.empty()) {
    const std::string near = misspelt(name, name.find('.') != std::string::npos ? known : parts);
    return near.empty() ? Names{} : settings_like(near, known);
  }
  const auto deeper =
      std::find_if(out.begin(), out.end(), [&](const std::string& key) { return depth(key) > depth(out[0]); });
  out.erase(deeper, out.end());
  if (out.size() > most) out.resize(most);
  return out;
}

}  // namespace

std::vector<std::string> setting_notes(const std::string& option, const std::string& next, const Names& arguments) {
  std::string name = option.substr(std::min(option.find_first_not_of('-'), option.size()));
  std::string value = "<value>";
  if (const size_t equals = name.find('='); equals != std::string::npos) {
    value = name.substr(equals + 1);
    name.resize(equals);
  } else if (!next.empty() && next[0] != '-' && next.find('=') == std::string::npos) {
    value = next;
  }
  std::replace(name.begin(), name.end(), '-', '_');
  constexpr size_t shortest = 3;  // -x is no setting
  if (name.size() < shortest) return {};
  Names out;
  try {
    for (const std::string& key : settings_like(name, known_settings(arguments))) {
      out.push_back(fmt::format("a setting has no dashes: {}={}", key, value));
    }
  } catch (const Error&) {  // a configuration that does not compose: its own error comes where it is read
    out.clear();
  }
  return out;
}

}  // namespace modelmeter::cli
