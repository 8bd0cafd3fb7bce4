#include "config/option_notes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/edit_distance.h"
#include "base/error.h"

namespace modelmeter::config {
namespace {

// What an option rests on: the option of its group that its list names first, and so on. The presets of a model rest on
// one that has what they share.
std::string base_of(const Repository& repository, const std::string& group, std::string option) {
  constexpr int most_bases = 10;
  for (int depth = 0; depth < most_bases; ++depth) {
    const std::optional<ConfigFile> file = repository.load(fmt::format("{}/{}", group, option));
    const Node* list = file ? file->content.find("defaults") : nullptr;
    if (list == nullptr || !list->is(Kind::list) || list->items().empty()) break;
    const Node& first = list->items()[0];
    if (!first.is(Kind::string) || first.as_string() == "_self_") break;
    if (!repository.has_config(group + "/" + first.as_string())) break;
    option = first.as_string();
  }
  return option;
}

}  // namespace

std::vector<std::string> option_notes(const Repository& repository, const std::string& group, std::string_view typed,
                                      const std::string& replaced) {
  const std::vector<std::string> options = repository.options(group);
  std::vector<std::string> notes;
  if (std::string hint = did_you_mean_model(typed, options); !hint.empty()) notes.push_back(std::move(hint));
  if (options.empty()) return notes;
  std::vector<std::string> alike;
  try {
    const std::string base = replaced.empty() ? "" : base_of(repository, group, replaced);
    std::copy_if(options.begin(), options.end(), std::back_inserter(alike), [&](const std::string& option) {
      return option != base && base_of(repository, group, option) == base;
    });
    if (!alike.empty() && replaced == base) alike.insert(alike.begin(), base);
  } catch (const Error&) {  // a file that cannot be read
    alike.clear();
  }
  const bool some = alike.size() > 1 && alike.size() < options.size();
  notes.push_back(fmt::format("Available options in '{}'{}:\n  {}", group,
                              some ? fmt::format(" that go with what '{}' is for", replaced) : "",
                              fmt::join(some ? alike : options, "\n  ")));
  return notes;
}

std::string instead_of_plugin(std::string_view group, std::string_view option) {
  constexpr std::string_view launchers[] = {"submitit", "ray", "rq"};
  constexpr std::string_view sweepers[] = {"optuna", "ax", "nevergrad"};
  const auto begins = [&](std::string_view plugin) { return option.substr(0, plugin.size()) == plugin; };
  if (group == "hydra/launcher" && std::any_of(std::begin(launchers), std::end(launchers), begins)) {
    return "jobs run on all cores here; for more machines give each a sweep.shard=i/n and a sweep.store of its own, then "
           "modelmeter sweep merge";
  }
  if (group == "hydra/sweeper" && std::any_of(std::begin(sweepers), std::end(sweepers), begins)) {
    return "there is no search here: sweep a grid (a million points take seconds) and ask it with modelmeter sweep show "
           "--sort or --pareto";
  }
  return "";
}

std::string search_path_note(const Repository& repository) {
  std::vector<std::string> entries;
  for (const SearchPathEntry& entry : repository.search_path()) {
    entries.push_back(fmt::format("{} ({})", entry.path, entry.provider));
  }
  return fmt::format("Config search path: {}", fmt::join(entries, ", "));
}

}  // namespace modelmeter::config
