#include "config/explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/edit_distance.h"
#include "config/interpolation_parser.h"
#include "config/override.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

constexpr int deepest = 8;  // of interpolations that lead to others

using Keys = std::vector<std::string>;

// What stands below a node, without following interpolations.
const Node* below(const Node& node, const Keys& keys) {
  const Node* here = &node;
  for (const std::string& key : keys) {
    if (here->is(Kind::map)) {
      here = here->find(key);
    } else if (const std::optional<int64_t> index = here->is(Kind::list) ? python_int(key) : std::nullopt) {
      const auto size = static_cast<int64_t>(here->items().size());
      here = *index >= 0 && *index < size ? &here->items()[static_cast<size_t>(*index)] : nullptr;
    } else {
      return nullptr;
    }
    if (here == nullptr) return nullptr;
  }
  return here;
}

std::string one_line(const Node& node) {
  if (node.is(Kind::map)) return fmt::format("a map of {} keys", node.entries().size());
  std::string out = node.is(Kind::list) ? python_str(node) : to_yaml(node);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::string place_of(const Node& node, const std::string& otherwise) {
  const SourceSpan span = node.span();
  if (!span.known()) return otherwise;
  return span.line > 0 ? fmt::format("{}:{}:{}", span.file, span.line, span.column) : span.file;
}

// The node at a key of what a file adds, whose content stands at a package; nullptr if it adds nothing there.
const Node* added_by(const Node& content, const std::string& package, const Keys& keys) {
  const Keys before = split_key(package).keys;
  const size_t common = std::min(before.size(), keys.size());
  if (!std::equal(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(common), keys.begin())) return nullptr;
  if (keys.size() <= before.size()) return &content;
  const Keys rest(keys.begin() + static_cast<std::ptrdiff_t>(before.size()), keys.end());
  if (content.is(Kind::map) && rest.front() == "defaults") return nullptr;
  return below(content, rest);
}

// From a config over those whose lists name it, up to the primary.
std::vector<std::string> chain_of(const Composition& composition, const DefaultsEntry& entry) {
  std::vector<std::string> out = {entry.config_path};
  std::string parent = entry.parent;
  while (parent != "<root>" && out.size() <= composition.defaults.size()) {
    out.push_back(parent);
    const auto above = std::find_if(composition.defaults.begin(), composition.defaults.end(),
                                    [&](const DefaultsEntry& other) { return other.config_path == parent; });
    if (above == composition.defaults.end()) break;
    parent = above->parent;
  }
  return out;
}

std::vector<Setting> settings_of(const Repository& repository, const Composition& composition, const Keys& keys) {
  std::vector<Setting> out;
  for (const DefaultsEntry& entry : composition.defaults) {
    const std::optional<ConfigFile> file = repository.load(entry.config_path);
    const Node* node = file ? added_by(file->content, entry.package, keys) : nullptr;
    if (node == nullptr || node->is(Kind::missing)) continue;
    out.push_back({place_of(*node, file->file), one_line(*node), chain_of(composition, entry)});
  }
  for (const std::vector<std::string>* words : {&composition.overrides, &composition.hydra_overrides}) {
    for (const std::string& text : *words) {
      const Override word = parse_override(text);
      if (word.package || word.is_sweep() || repository.has_group(word.key)) continue;
      const Keys set = split_key(word.key).keys;
      const size_t common = std::min(set.size(), keys.size());
      if (!std::equal(set.begin(), set.begin() + static_cast<std::ptrdiff_t>(common), keys.begin())) continue;
      const Node value = word.node();
      const Node* node = &value;
      if (keys.size() > set.size()) {
        node = below(value, Keys(keys.begin() + static_cast<std::ptrdiff_t>(set.size()), keys.end()));
      }
      if (node == nullptr) continue;
      out.push_back({"<command line>", word.kind == OverrideKind::remove ? "deleted" : one_line(*node), {text}});
    }
  }
  return out;
}

// The keys that the interpolations of a text read: ${a.b}, ${.c}; not the arguments of resolvers.
std::vector<std::string> keys_read(const Node& node, const Keys& holder) {
  std::vector<std::string> out;
  if (!node.is_interpolation()) return out;
  const std::string& text = node.as_string();
  for (size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at + 2)) {
    const size_t end = text.find_first_of(":${}", at + 2);
    if (end == std::string::npos || text[end] != '}') continue;
    const Reference reference = split_key(text.substr(at + 2, end - at - 2));
    if (static_cast<size_t>(reference.dots) > holder.size()) continue;
    Keys keys;
    if (reference.dots > 0) keys.assign(holder.begin(), holder.end() - reference.dots);
    keys.insert(keys.end(), reference.keys.begin(), reference.keys.end());
    out.push_back(fmt::format("{}", fmt::join(keys, ".")));
  }
  return out;
}

Error no_such_key(const Node& whole, const Keys& keys, const std::string& key) {
  const Node* here = &whole;
  for (const std::string& part : keys) {
    const Node* next = below(*here, {part});
    if (next == nullptr)
      return Error(fmt::format("there is no {}", key), {},
                   here->is(Kind::map) ? name_notes(part, here->keys(), "keys here") : std::vector<std::string>());
    here = next;
  }
  return Error(fmt::format("there is no {}", key));
}

Explanation explained(const Repository& repository, const Composition& composition, const Node& whole,
                      const std::string& key, int depth) {
  const Keys keys = split_key(key).keys;
  const Node* node = below(whole, keys);
  if (node == nullptr) throw no_such_key(whole, keys, key);
  Explanation out{key, one_line(*node), "", settings_of(repository, composition, keys), {}};
  if (!node->is_interpolation()) return out;
  const std::optional<Node> resolved = resolve_key(composition, key);
  out.resolved = resolved ? one_line(*resolved) : "null";
  for (const std::string& read : depth < deepest ? keys_read(*node, keys) : std::vector<std::string>()) {
    if (below(whole, split_key(read).keys) == nullptr) continue;
    out.reads.push_back(explained(repository, composition, whole, read, depth + 1));
  }
  return out;
}

void write(const Explanation& explanation, size_t indent, std::string& out) {
  const std::string before(indent, ' ');
  out += fmt::format("{}{} = {}\n", before, explanation.key,
                     explanation.resolved.empty() ? explanation.value : explanation.resolved);
  if (explanation.settings.empty()) out += before + "  filled in when the configuration is composed\n";
  for (size_t i = 0; i < explanation.settings.size(); ++i) {
    const Setting& setting = explanation.settings[i];
    const bool counts = i + 1 == explanation.settings.size();
    out += fmt::format("{}{} {}  {}\n", before, counts ? ">" : " ", setting.place, setting.value);
    out += fmt::format("{}    {}\n", before, fmt::join(setting.chain, " <- "));
  }
  for (const Explanation& read : explanation.reads) write(read, indent + 2, out);
}

}  // namespace

Explanation explain(const Repository& repository, const Composition& composition, const std::string& key) {
  const Repository places = searched(repository, composition.config_name, composition.hydra_overrides);
  return explained(places, composition, whole_config(composition), key, 0);
}

std::string explanation_text(const Explanation& explanation) {
  std::string out;
  write(explanation, 0, out);
  return out;
}

}  // namespace modelmeter::config
