#include "config/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "config/apply_override.h"
#include "config/builtin.h"
#include "config/limits.h"
#include "config/merge.h"
#include "config/override.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

bool starts_with(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

bool is_hydra_key(std::string_view key) {
  return key == "hydra" || starts_with(key, "hydra.") || starts_with(key, "hydra/");
}

// Sweeps make many jobs; one composition is one job.
void reject_sweep(const Override& word) {
  const Sweep& sweep = std::get<Sweep>(*word.value);
  if (sweep.simple) {
    throw Error(fmt::format("Ambiguous value for argument '{}'", word.text), word.mark.span(),
                {"To use it as a list, use key=[value1,value2]",
                 R"(To use it as string, quote the value: key=\'value1,value2\')"});
  }
  throw Error(fmt::format("Sweep parameters '{}': this composes one job", word.text), word.mark.span());
}

std::vector<std::string> directories(const Node& value) {
  const auto wrong = [&] {
    return Error(fmt::format("hydra.searchpath must be a list of strings. Got: {}", python_str(value)), value.span());
  };
  if (!value.is(Kind::list)) throw wrong();
  std::vector<std::string> out;
  for (const Node& item : value.items()) {
    if (!item.is(Kind::string)) throw wrong();
    out.push_back(item.as_string());
  }
  return out;
}

// Adds `hydra.searchpath` of the command line, or of the primary config.
void add_search_path(ConfigCache& configs, const std::string& config_name, const std::vector<Override>& overrides) {
  for (auto word = overrides.rbegin(); word != overrides.rend(); ++word) {
    if (word->key == "hydra.searchpath" && !word->is_sweep()) return configs.add_search_path(directories(word->node()));
  }
  const ConfigFile* primary = configs.load(config_name);
  if (primary == nullptr) return;
  const Node* hydra = primary->content.find("hydra");
  const Node* search_path = hydra ? hydra->find("searchpath") : nullptr;
  if (!search_path) search_path = primary->content.find("hydra.searchpath");
  if (search_path) configs.add_search_path(directories(resolve(*search_path)));
}

// The content of a file without its defaults list, at its package.
Node at_package(const DefaultsEntry& entry, const ConfigFile& file, bool is_primary) {
  Node content = file.content;
  if (content.is(Kind::list)) {
    if (entry.package.empty()) {
      throw Error(is_primary
                      ? fmt::format("primary config '{}' must be a DictConfig, got ListConfig", entry.config_path)
                      : fmt::format("In '{}': a list needs a package to be put at", entry.config_path),
                  content.span());
    }
  } else {
    content.erase("defaults");
  }
  std::string_view package = entry.package;
  if (static_cast<size_t>(std::count(package.begin(), package.end(), '.')) >= max_depth) {
    throw Error(fmt::format("In '{}': the package has more than {} parts", entry.config_path, max_depth),
                content.span());
  }
  while (!package.empty()) {
    const size_t dot = package.rfind('.');
    const std::string key(dot == std::string_view::npos ? package : package.substr(dot + 1));
    const Mark mark = content.mark();
    Node outer = Node::map({}, mark);
    outer.set(key, std::move(content), mark);
    content = std::move(outer);
    package = dot == std::string_view::npos ? "" : package.substr(0, dot);
  }
  return content;
}

void reject_search_path(const DefaultsEntry& entry, const Node& content) {
  const Node* hydra = content.find("hydra");
  if (hydra && hydra->find("searchpath")) {
    throw Error(fmt::format("In '{}': Overriding hydra.searchpath is only supported from the primary config",
                            entry.config_path),
                hydra->find("searchpath")->span());
  }
}

Node merge_files(ConfigCache& configs, const DefaultsList& list, const std::string& config_name,
                 const Resolvers& resolvers, std::vector<std::string>& files) {
  Node root = Node::map();
  size_t nodes = 0;
  for (const DefaultsEntry& entry : list.entries) {
    const ConfigFile* file = configs.load(entry.config_path);
    if (!file) throw Error(ErrorCode::internal, fmt::format("config '{}' is gone", entry.config_path));
    nodes += size_of(file->content).nodes;
    if (nodes > max_nodes) {
      throw Error(fmt::format("In '{}': the configs have more than {} values", entry.config_path, max_nodes));
    }
    const bool is_primary = entry.config_path == config_name;
    const Node content = at_package(entry, *file, is_primary);
    if (!is_primary && !is_hydra_key(entry.config_path)) reject_search_path(entry, content);
    try {
      merge(root, content, resolvers);
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("In '{}': {}", entry.config_path, error.message()), error.span(),
                  error.notes());
    }
    if (!starts_with(file->file, kBuiltinDir)) files.push_back(file->file);
  }
  return root;
}

// What Hydra writes into the hydra node at run time.
void fill_hydra(Node& root, const Composition& run, const ComposeOptions& options) {
  const Resolvers resolvers;
  const auto set = [&](std::string_view key, Node value) { update(root, key, value, resolvers, {.merge = false}); };
  const auto set_missing = [&](std::string_view key, Node value) {
    const std::optional<Node> there = dereference(root, key, resolvers);
    if (!there || there->is(Kind::missing) || there->is(Kind::null)) set(key, std::move(value));
  };
  const auto strings = [](const std::vector<std::string>& values) {
    List out;
    for (const std::string& value : values) out.push_back(Node::literal(value));
    return Node::list(std::move(out));
  };
  set("hydra.overrides.task", strings(run.overrides));
  set("hydra.overrides.hydra", strings(run.hydra_overrides));
  set_missing("hydra.job.name", Node::string(options.job_name));
  set_missing("hydra.job.config_name", run.config_name.empty() ? Node::null() : Node::string(run.config_name));
  std::vector<std::string> sorted = run.overrides;
  std::sort(sorted.begin(), sorted.end());
  std::string dirname;
  for (const std::string& text : sorted) dirname += (dirname.empty() ? "" : ",") + text;
  set_missing("hydra.job.override_dirname", Node::literal(dirname));
  Node choices = Node::map();
  for (const auto& [group, option] : run.choices) choices.set(group, Node::literal(option));
  set("hydra.runtime.choices", std::move(choices));
  set_missing("hydra.runtime.version", Node::string("1.3.2"));
  set_missing("hydra.runtime.version_base", Node::string("1.3"));
  if (!options.working_directory.empty()) set_missing("hydra.runtime.cwd", Node::literal(options.working_directory));
  if (options.multirun) set_missing("hydra.mode", Node::string("MULTIRUN"));
}

constexpr int kMaxDepth = 20;        // of `${hydra:}` in the hydra node
constexpr size_t kMaxUses = 10'000;  // of it in one configuration

// `${hydra:key}` reads the hydra node, which may use the job's configuration and `${hydra:}` itself.
Resolvers with_hydra(const Resolvers& base, const std::shared_ptr<const Node>& whole, int depth,
                     const std::shared_ptr<size_t>& uses) {
  Resolvers out = base;
  out.add("hydra", [base, whole, depth, uses](const std::vector<Node>& args, const ResolverScope&) {
    if (args.size() != 1) throw Error("hydra: expected 1 argument, a key of the hydra node");
    if (depth > kMaxDepth) throw Error("Recursive interpolation detected");
    if (++*uses > kMaxUses) throw Error(fmt::format("${{hydra:}} is used more than {} times", kMaxUses));
    const std::string key = "hydra." + python_str(args[0]);
    std::optional<Node> found = select(*whole, key, with_hydra(base, whole, depth + 1, uses));
    if (!found) throw Error(fmt::format("Interpolation key '{}' not found", key));
    if (found->is(Kind::missing)) throw Error(fmt::format("{} has no value here", key));
    return *std::move(found);
  });
  return out;
}

}  // namespace

Composition compose(const Repository& repository, std::string_view config_name,
                    const std::vector<std::string>& overrides, const ComposeOptions& options) {
  Composition out;
  out.config_name = config_name;
  std::vector<Override> words;
  words.reserve(overrides.size());
  for (const std::string& text : overrides) {
    words.push_back(parse_override(text));
    const Override& word = words.back();
    if (word.is_sweep() && !options.multirun) reject_sweep(word);
    if (word.is_sweep() && is_hydra_key(word.key)) {
      throw Error(fmt::format("Sweeping over Hydra's configuration is not supported : '{}'", word.text),
                  word.mark.span());
    }
    (is_hydra_key(word.key) ? out.hydra_overrides : out.overrides).push_back(text);
  }
  const std::string primary = config_name.empty() ? kEmptyConfig : std::string(config_name);
  ConfigCache configs(repository);
  add_search_path(configs, primary, words);
  DefaultsList list = build_defaults_list(configs, primary, words, options.multirun);
  out.choices = std::move(list.choices);
  out.defaults = list.entries;
  out.trees = std::move(list.trees);

  const Resolvers resolvers = Resolvers::standard();
  Node root = merge_files(configs, list, primary, resolvers, out.files);
  for (const Override* word : list.config_overrides) apply_override(root, *word, resolvers);
  fill_hydra(root, out, options);

  if (Node* hydra = root.find("hydra")) out.hydra = std::move(*hydra);
  root.erase("hydra");
  out.config = std::move(root);
  return out;
}

Node resolve(const Composition& composition) { return resolve(composition, Resolvers::standard()); }

Node resolve(const Composition& composition, Resolvers resolvers) {
  auto whole = std::make_shared<Node>(composition.config);
  whole->set("hydra", composition.hydra);
  return resolve(composition.config, with_hydra(resolvers, whole, 0, std::make_shared<size_t>(0)));
}

}  // namespace modelmeter::config
