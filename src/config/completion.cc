#include "config/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "config/scalar.h"

namespace modelmeter::config {
namespace {

namespace fs = std::filesystem;
using Words = std::set<std::string>;

bool begins_with(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

std::string with_end(const std::string& key, const Node& value) { return key + (value.is_container() ? "." : "="); }

// Keys of a map or indices of a list that begin with a text. `at` is its key, behind which items are looked up.
Words keys_in(const Composition& composition, std::string_view at, const Node& container, std::string_view start) {
  Words out;
  if (container.is(Kind::map)) {
    for (const Entry& entry : container.entries()) {
      if (begins_with(entry.key.text, start)) out.insert(with_end(entry.key.text, entry.value));
    }
  } else if (container.is(Kind::list)) {
    for (size_t i = 0; i < container.items().size(); ++i) {
      const std::string index = std::to_string(i);
      if (!begins_with(index, start)) continue;
      const std::optional<Node> item = resolve_as_is(composition, fmt::format("{}.{}", at, index));
      out.insert(with_end(index, item.value_or(Node::null())));
    }
  }
  return out;
}

std::string text_of_value(const Node& value) {
  if (value.is(Kind::boolean)) return value.as_bool() ? "true" : "false";
  return value.is(Kind::missing) ? "" : python_str(value);
}

// Keys that go on with the word, or what is behind it.
Words keys_of(const Composition& composition, const std::string& word) {
  Words found;
  std::string base;
  if (!word.empty() && (word.back() == '.' || word.back() == '=')) {
    base = word;
    const std::string_view key = std::string_view(word).substr(0, word.size() - 1);
    const std::optional<Node> node = resolve_as_is(composition, key);
    if (!node || node->is(Kind::null)) return {};
    found = node->is_container() ? keys_in(composition, key, *node, "") : Words{text_of_value(*node)};
  } else if (const size_t dot = word.rfind('.'); dot != std::string::npos) {
    base = word.substr(0, dot + 1);
    const std::string_view key = std::string_view(word).substr(0, dot);
    const std::optional<Node> node = resolve_as_is(composition, key);
    if (node) found = keys_in(composition, key, *node, std::string_view(word).substr(dot + 1));
  } else {
    found = keys_in(composition, "", whole_config(composition), word);
  }
  Words out;
  for (const std::string& key : found) out.insert(base + key);
  return out;
}

// group=option, or what a group goes on with: =, / where it has only groups, nothing where it has both.
Words groups_of(const Repository& repository, std::string word) {
  std::string prefix;
  if (!word.empty() && (word[0] == '+' || word[0] == '~')) {
    prefix = word.substr(0, 1);
    word.erase(0, 1);
  }
  Words out;
  if (const size_t equals = word.rfind('='); equals != std::string::npos) {
    const std::string group = word.substr(0, equals);
    for (const std::string& option : repository.options(group)) {
      const std::string name = group.empty() ? option : fmt::format("{}={}", group, option);
      if (begins_with(name, word)) out.insert(prefix + name);
    }
    return out;
  }
  const size_t slash = word.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : word.substr(0, slash);
  for (const std::string& group : repository.groups(parent)) {
    std::string name = parent.empty() ? group : fmt::format("{}/{}", parent, group);
    if (!begins_with(name, word)) continue;
    const bool has_options = !repository.options(name).empty(), has_groups = !repository.groups(name).empty();
    if (!has_groups && has_options && prefix != "~") name += "=";
    if (has_groups && !has_options) name += "/";
    out.insert(prefix + name);
  }
  return out;
}

// group=...: of a group that has options.
bool chooses(const Repository& repository, const std::string& word) {
  const size_t equals = word.rfind('=');
  if (equals == std::string::npos) return false;
  const size_t begin = word[0] == '+' || word[0] == '~' ? 1 : 0;
  return !repository.options(word.substr(begin, equals - begin)).empty();
}

// "key=./start": the key and its path; "" where no path begins.
std::string path_of(const std::string& word) {
  const size_t equals = word.rfind('=');
  if (equals == std::string::npos) return "";
  std::string path = word.substr(equals + 1);
  return !path.empty() && (path[0] == '.' || path[0] == '/') ? path : "";
}

}  // namespace

std::vector<std::string> complete_files(const std::string& start) {
  std::error_code error;
  const bool is_folder = fs::is_directory(start, error);
  const fs::path path(start);
  const fs::path folder = is_folder ? path : path.parent_path();
  const std::string begin = is_folder ? "" : path.filename().string();
  std::vector<std::string> out;
  for (fs::directory_iterator it(folder.empty() ? "." : folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (begins_with(name, begin)) out.push_back((folder / name).string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> complete(const Repository& repository, std::string_view config_name,
                                  const std::vector<std::string>& words, const std::string& word,
                                  const ComposeOptions& options) {
  if (const std::string path = path_of(word); !path.empty()) {
    std::vector<std::string> out = complete_files(path);
    for (std::string& file : out) file.insert(0, word.substr(0, word.size() - path.size()));
    return out;
  }
  const Repository places = searched(repository, config_name, words);
  Words found = groups_of(places, word);
  if (!chooses(places, word)) {
    try {
      found.merge(keys_of(compose(repository, config_name, words, options), word));
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): what does not compose has no keys
    }
  }
  return {found.begin(), found.end()};
}

}  // namespace modelmeter::config
