#include "cli/config_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "base/edit_distance.h"
#include "base/error.h"
#include "cli/session.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::cli {
namespace {

using config::Composition;
using config::Kind;
using config::Node;
using config::Repository;
using Rows = std::vector<std::vector<std::string>>;

constexpr const char* kinds_of_info[] = {"all", "config", "defaults", "defaults-tree", "plugins", "searchpath"};

std::string titled(const std::string& title) {
  return fmt::format("\n{}\n{}\n", title, std::string(title.size(), '*'));
}

// Hydra's tables: the head, a rule, the rows, a rule. Its heads may have a blank behind them, which the rule counts.
std::string table(const Rows& rows, const char* behind_head) {
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto line = [&](const std::vector<std::string>& row) {
    std::string out = "|";
    for (size_t i = 0; i < row.size(); ++i) out += fmt::format(" {:<{}} |", row[i], widths[i]);
    return out;
  };
  const std::string head = line(rows[0]) + behind_head;
  const std::string rule(head.size(), '-');
  std::string out = head + "\n" + rule + "\n";
  for (size_t i = 1; i < rows.size(); ++i) out += line(rows[i]) + "\n";
  return out + rule + "\n";
}

std::string search_path(const Composition& composition) {
  Rows rows = {{"Provider", "Search path"}};
  const Node sources = config::resolve_key(composition, "hydra.runtime.config_sources").value_or(Node::list());
  for (const Node& source : sources.items()) {
    rows.push_back({source.find("provider")->as_string(),
                    source.find("schema")->as_string() + "://" + source.find("path")->as_string()});
  }
  return titled("Config search path") + table(rows, "");
}

std::string defaults_tree(const Composition& composition) {
  std::string out = titled("Defaults Tree") + "<root>:\n";
  for (const config::DefaultsTree& tree : composition.trees) {
    for (const std::string& line : tree.lines(1)) out += line + "\n";
  }
  return out;
}

std::string defaults_list(const Composition& composition) {
  Rows rows = {{"Config path", "Package", "_self_", "Parent"}};
  for (const config::DefaultsEntry& entry : composition.defaults) {
    rows.push_back({entry.config_path, entry.package, entry.is_self ? "True" : "False", entry.parent});
  }
  return titled("Defaults List") + table(rows, " ");
}

// There are none to install: what Hydra's plugins do is built in.
std::string plugins() {
  std::string out = "Installed Hydra Plugins\n***********************\n";
  const std::pair<const char*, std::vector<const char*>> all[] = {
      {"ConfigSource:", {"FileConfigSource"}},
      {"CompletionPlugin:", {"BashCompletion", "FishCompletion", "ZshCompletion"}},
      {"Launcher:", {"BasicLauncher"}},
      {"Sweeper:", {"BasicSweeper"}}};
  for (const auto& [kind, names] : all) {
    out += fmt::format("\t{}\n\t{}\n", kind, std::string(std::string_view(kind).size(), '-'));
    for (const char* name : names) out += fmt::format("\t\t{}\n", name);
  }
  return out;
}

std::string config_info(const Composition& composition) {
  return search_path(composition) + defaults_tree(composition) + defaults_list(composition) + "Config\n******\n" +
         config::to_yaml(composition.config) + "\n";
}

std::string info(const std::string& which, const Composition& composition) {
  if (which == "searchpath") return search_path(composition);
  if (which == "defaults-tree") return defaults_tree(composition);
  if (which == "defaults") return defaults_list(composition);
  if (which == "plugins") return plugins();
  if (which == "config") return config_info(composition);
  if (which.empty() || which == "all") {
    return "Hydra 1.3.2\n===========\n" + plugins() + config_info(composition);
  }
  const std::vector<std::string> known(std::begin(kinds_of_info), std::end(kinds_of_info));
  throw Error(ErrorCode::usage, fmt::format("--info: there is no '{}'", which), {},
              name_notes(which, known, "there are"));
}

// --package: a node of what is shown, with a line that says which; a scalar stands alone.
std::string packaged(const Composition& composition, const Node& shown, const std::string& package, bool resolved) {
  const std::optional<Node> found =
      resolved ? config::resolve_key(composition, package) : config::dereference(shown, package, config::Resolvers());
  const bool is_there = config::dereference(shown, package, config::Resolvers()).has_value();
  if (!is_there || !found || found->is(Kind::null) || found->is(Kind::missing)) {
    std::vector<std::string> notes;
    if (shown.is(Kind::map)) notes = name_notes(package.substr(0, package.find('.')), shown.keys(), "keys here");
    throw Error(fmt::format("package '{}' not found in config", package), {}, std::move(notes));
  }
  if (!found->is_container()) return config::python_str(*found) + "\n";
  return fmt::format("# @package {}\n{}", package, config::to_yaml(*found));
}

std::string cfg(const Arguments& arguments, const Composition& composition) {
  const std::string which = arguments.value("--cfg");
  Node shown;
  if (which == "job") {
    shown = composition.config;
  } else if (which == "hydra") {
    shown = config::hydra_config(composition);
  } else if (which == "all") {
    shown = config::whole_config(composition);
  } else {
    throw Error(ErrorCode::usage, fmt::format("--cfg: there is no '{}'", which), {},
                name_notes(which, {"job", "hydra", "all"}, "there are"));
  }
  const bool resolved = arguments.has("--resolve");
  const std::string package = arguments.value("--package", "_global_");
  if (package != "_global_") return packaged(composition, shown, package, resolved);
  if (!resolved) return config::to_yaml(shown);
  return config::to_yaml(which == "job" ? config::resolve(composition) : config::resolve_all(composition, shown));
}

void list_groups(const Repository& repository, const std::string& parent, std::vector<std::string>& out) {
  for (const std::string& group : repository.groups(parent)) {
    const std::string name = parent.empty() ? group : fmt::format("{}/{}", parent, group);
    if (!repository.options(name).empty()) out.push_back(name);
    list_groups(repository, name, out);
  }
}

std::string groups(const Repository& repository, bool of_hydra) {
  std::vector<std::string> all;
  list_groups(repository, "", all);
  std::sort(all.begin(), all.end());
  std::string out;
  for (const std::string& group : all) {
    const bool is_hydra = group == "hydra" || group.rfind("hydra/", 0) == 0;
    if (is_hydra == of_hydra) out += fmt::format("{}: {}\n", group, fmt::join(repository.options(group), ", "));
  }
  return out;
}

std::string flags_help() {
  std::string out;
  for (const Flag& flag : config_flags()) {
    out += fmt::format("{}{} : {}\n", flag.name, flag.brief.empty() ? "" : "," + flag.brief, flag.help);
  }
  return out + "Overrides : Any key=value arguments to override config values (use dots for.nested=overrides)";
}

// Python's string.Template.
std::string filled(const std::string& text, const std::function<std::string(const std::string&)>& value) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t end = i + 1;
    while (text[i] == '$' && end < text.size() &&
           (std::isupper(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_'))
      ++end;
    if (text[i] != '$' || end == i + 1) {
      out += text[i];
      if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '$') ++i;
      continue;
    }
    const std::string name = text.substr(i + 1, end - i - 1);
    out += value(name);
    i = end - 1;
  }
  return out;
}

std::string help_of(const Composition& composition, const Repository& repository, const std::string& key,
                    const std::string& shown) {
  const std::optional<Node> text = config::resolve_key(composition, key);
  if (!text || !text->is(Kind::string)) throw Error(fmt::format("{} has no text", key));
  return filled(text->as_string(),
                [&](const std::string& name) -> std::string {
                  if (name == "FLAGS_HELP") return flags_help();
                  if (name == "APP_CONFIG_GROUPS") return groups(repository, false);
                  if (name == "HYDRA_CONFIG_GROUPS") return groups(repository, true);
                  if (name == "CONFIG") return shown;
                  throw Error(fmt::format("{}: there is no ${}", key, name), {},
                              name_notes(name, {"FLAGS_HELP", "APP_CONFIG_GROUPS", "HYDRA_CONFIG_GROUPS", "CONFIG"}));
                }) +
         "\n";
}

}  // namespace

bool is_shown(const Arguments& arguments) {
  int commands = 0;
  for (const char* flag : {"--run", "--cfg", "--info"}) commands += arguments.has(flag) ? 1 : 0;
  const bool both = arguments.has("--run") && arguments.has("--multirun");
  if (commands > 1 || both) {
    throw Error(ErrorCode::usage,
                "Only one of --run, --multirun, --cfg, --info and --shell-completion can be specified");
  }
  for (const char* flag : {"--resolve", "--package"}) {
    if (!arguments.has(flag) || arguments.has("--cfg")) continue;
    if (flag == std::string_view("--resolve") && arguments.has("--help")) continue;
    throw Error(ErrorCode::usage, fmt::format("{} goes with --cfg job, hydra or all", flag));
  }
  return arguments.has("--cfg") || arguments.has("--info") || arguments.has("--hydra-help");
}

std::string shown_text(const Arguments& arguments, const Composition& composition, const Repository& repository) {
  if (arguments.has("--hydra-help")) return hydra_help(composition, repository);
  if (arguments.has("--info")) return info(arguments.value("--info"), composition);
  return cfg(arguments, composition);
}

std::string app_help(const Composition& composition, const Repository& repository, bool resolved) {
  const std::string shown = config::to_yaml(resolved ? config::resolve(composition) : composition.config);
  return help_of(composition, repository, "hydra.help.template", shown);
}

std::string hydra_help(const Composition& composition, const Repository& repository) {
  return help_of(composition, repository, "hydra.hydra_help.template",
                 config::to_yaml(config::hydra_config(composition)));
}

}  // namespace modelmeter::cli
