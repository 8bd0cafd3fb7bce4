#include "config/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "config/apply_override.h"
#include "config/builtin.h"
#include "config/hydra_types.h"
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
    if (word->key == "hydra.searchpath" && !word->is_sweep()) {
      return configs.add_search_path(directories(word->node()), "hydra.searchpath in command-line");
    }
  }
  const ConfigFile* primary = configs.load(config_name);
  if (primary == nullptr) return;
  const Node* hydra = primary->content.find("hydra");
  const Node* search_path = hydra ? hydra->find("searchpath") : nullptr;
  if (!search_path) search_path = primary->content.find("hydra.searchpath");
  if (search_path) configs.add_search_path(directories(resolve(*search_path)), "hydra.searchpath in main");
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
  bool has_types = false;  // of the hydra node; its groups come before them
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
      if (entry.config_path == "hydra/config") has_types = true;
      if (has_types && content.find("hydra") != nullptr) require_hydra_types(*root.find("hydra"));
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("In '{}': {}", entry.config_path, error.message()), error.span(),
                  error.notes());
    }
    if (!starts_with(file->file, kBuiltinDir)) files.push_back(file->file);
  }
  return root;
}

void check_hydra(Node& root, const Override& word) {
  Node* hydra = root.find("hydra");
  if (hydra == nullptr) throw Error("the hydra node cannot be deleted", word.key_mark.span());
  try {
    require_hydra_types(*hydra);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("Error merging override {}: {}", word.text, error.message()), error.span(),
                error.notes());
  }
}

// What Hydra writes over when it composes: to set it would have no effect.
void require_unset(const Node& root, const Resolvers& resolvers) {
  for (const char* key : {"runtime.version", "runtime.version_base", "runtime.cwd", "runtime.config_sources",
                          "runtime.output_dir", "job.override_dirname", "job.config_name"}) {
    const std::optional<Node> there = dereference(root, std::string("hydra.") + key, resolvers);
    if (there && !there->is(Kind::missing)) {
      throw Error(fmt::format("hydra.{} cannot be set: it says what is composed", key), there->span());
    }
  }
  for (const char* key : {"hydra.overrides.task", "hydra.overrides.hydra", "hydra.runtime.choices"}) {
    const std::optional<Node> there = dereference(root, key, resolvers);
    if (there && there->is_container() && size_of(*there).nodes > 1) {
      throw Error(fmt::format("{} cannot be set: it says what is composed", key), there->span());
    }
  }
}

// As it is, or where it is no interpolation that OmegaConf could read, a text.
Node override_text(const std::string& text) {
  Node out = Node::string(text);
  if (!out.is_interpolation()) return Node::literal(text);
  try {
    check_interpolation(out);
    return out;
  } catch (const Error&) {
    return Node::literal(text);
  }
}

// hydra.job.override_dirname: the overrides sorted, with the separators of hydra.job.config.
std::string override_dirname(const Node& root, const std::vector<Override>& words, const Resolvers& resolvers) {
  const auto setting = [&](const char* key) {
    return select(root, std::string("hydra.job.config.override_dirname.") + key, resolvers).value_or(Node::null());
  };
  std::vector<std::string> excluded, lines;
  if (const Node keys = setting("exclude_keys"); keys.is(Kind::list)) {
    for (const Node& key : keys.items()) excluded.push_back(python_str(key));
  }
  for (const Override& word : words) {
    if (is_hydra_key(word.key)) continue;
    if (std::find(excluded.begin(), excluded.end(), word.key) == excluded.end()) lines.push_back(word.text);
  }
  std::sort(lines.begin(), lines.end());
  const std::string between = python_str(setting("item_sep")), equals = python_str(setting("kv_sep"));
  std::string joined, out;
  for (const std::string& line : lines) joined += (joined.empty() ? "" : between) + line;
  for (const char c : joined) out += c == '=' ? equals : std::string(1, c);
  return out;
}

// Where the configs of a composition are from, as hydra.runtime.config_sources has it.
Node config_sources(const std::vector<SearchPathEntry>& search_path, const std::string& working_directory) {
  List out;
  const auto add = [&](std::string path, std::string_view schema, const std::string& provider) {
    Node source = Node::map();
    source.set("path", Node::literal(std::move(path)));
    source.set("schema", Node::literal(std::string(schema)));
    source.set("provider", Node::literal(provider));
    out.push_back(std::move(source));
  };
  for (const SearchPathEntry& entry : search_path) {
    const size_t scheme = entry.path.find("://");
    std::string path = entry.path.substr(scheme + 3);
    const bool is_own = entry.provider == "main" || entry.provider == "command-line";
    if (is_own && !working_directory.empty() && path.compare(0, 1, "/") != 0) {
      path = (std::filesystem::path(working_directory) / path / "").lexically_normal().parent_path().string();
    }
    add(std::move(path), entry.path.substr(0, scheme), entry.provider);
  }
  add("", "structured", "schema");
  return Node::list(std::move(out));
}

// What Hydra writes into the hydra node when it composes.
void fill_hydra(Node& root, const Composition& run, const std::vector<Override>& words, const ComposeOptions& options) {
  const Resolvers resolvers = Resolvers::standard();
  require_unset(root, resolvers);
  const auto set = [&](std::string_view key, Node value) { update(root, key, value, resolvers, {.merge = false}); };
  const auto texts = [](const std::vector<std::string>& values) {
    List out;
    for (const std::string& value : values) out.push_back(override_text(value));
    return Node::list(std::move(out));
  };
  set("hydra.overrides.task", texts(run.overrides));
  set("hydra.overrides.hydra", texts(run.hydra_overrides));
  Node choices = Node::map();
  for (const auto& [group, option] : run.choices) {
    choices.set(group, option == "null" ? Node::null() : Node::literal(option));
  }
  set("hydra.runtime.choices", std::move(choices));
  const Node copied = select(root, "hydra.job.env_copy", resolvers).value_or(Node::list());
  for (const Node& name : copied.is(Kind::list) ? copied.items() : List()) {
    const char* value = std::getenv(python_str(name).c_str());
    if (value == nullptr) {
      throw Error(fmt::format("hydra.job.env_copy: environment variable '{}' not found", python_str(name)),
                  name.span());
    }
    set("hydra.job.env_set." + python_str(name), Node::literal(value));
  }
  set("hydra.runtime.version", Node::string("1.3.2"));
  set("hydra.runtime.version_base", Node::string("1.3"));
  if (!options.working_directory.empty()) set("hydra.runtime.cwd", Node::literal(options.working_directory));
  set("hydra.runtime.config_sources", config_sources(run.search_path, options.working_directory));
  const std::optional<Node> name = dereference(root, "hydra.job.name", resolvers);
  if (!name || name->is(Kind::missing)) set("hydra.job.name", Node::string(options.job_name));
  set("hydra.job.override_dirname", override_text(override_dirname(root, words, resolvers)));
  set("hydra.job.config_name", run.config_name.empty() ? Node::null() : Node::string(run.config_name));
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
    if (found->is(Kind::missing)) {
      std::vector<std::string> notes;
      if (key == "hydra.runtime.output_dir") notes.emplace_back("hydra.run.dir=DIR sets it");
      throw Error(fmt::format("{} has no value here", key), {}, std::move(notes));
    }
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
  for (const Override* word : list.config_overrides) {
    apply_override(root, *word, resolvers);
    if (is_hydra_key(word->key)) check_hydra(root, *word);
  }
  out.search_path = configs.repository().search_path();
  for (const SearchPathEntry& entry : out.search_path) {
    if (entry.available) continue;
    out.warnings.push_back(fmt::format("provider={}, path={} is not available.", entry.provider,
                                       entry.path.substr(entry.path.find("://") + 3)));
  }
  fill_hydra(root, out, words, options);

  if (Node* hydra = root.find("hydra")) out.hydra = std::move(*hydra);
  root.erase("hydra");
  out.config = std::move(root);
  return out;
}

Repository searched(const Repository& repository, std::string_view config_name, const std::vector<std::string>& words) {
  ConfigCache configs(repository);
  try {
    std::vector<Override> parsed;
    parsed.reserve(words.size());
    for (const std::string& word : words) parsed.push_back(parse_override(word));
    add_search_path(configs, config_name.empty() ? kEmptyConfig : std::string(config_name), parsed);
  } catch (const Error&) {
    return repository;
  }
  return configs.repository();
}

void set_mode(Composition& composition, const char* mode) {
  Node* there = composition.hydra.find("mode");
  if (there == nullptr || !there->is(Kind::null)) return;
  *there = Node::string(mode);
  composition.hydra_overrides.push_back(fmt::format("hydra.mode={}", mode));
  composition.hydra.find("overrides")
      ->find("hydra")
      ->items()
      .push_back(Node::literal(composition.hydra_overrides.back()));
}

Node hydra_config(const Composition& composition) {
  Node hydra = composition.hydra;
  hydra.erase("hydra_help");
  hydra.erase("help");
  Node out = Node::map();
  out.set("hydra", std::move(hydra));
  return out;
}

Node whole_config(const Composition& composition) {
  Node out = Node::map();
  out.set("hydra", composition.hydra);
  for (const Entry& entry : composition.config.entries()) out.set(entry.key, entry.value, entry.key_mark);
  return out;
}

namespace {

Resolvers resolvers_of(const Composition& composition, const Resolvers& resolvers) {
  return with_hydra(resolvers, std::make_shared<const Node>(whole_config(composition)), 0, std::make_shared<size_t>(0));
}

}  // namespace

Node resolve(const Composition& composition) { return resolve(composition, Resolvers::standard()); }

Node resolve(const Composition& composition, const Resolvers& resolvers) {
  return resolve(composition.config, resolvers_of(composition, resolvers));
}

Node resolve_all(const Composition& composition, const Node& shown) {
  return resolve(shown, resolvers_of(composition, Resolvers::standard()));
}

std::optional<Node> resolve_key(const Composition& composition, std::string_view key) {
  return select(whole_config(composition), key, resolvers_of(composition, Resolvers::standard()));
}

std::optional<Node> resolve_as_is(const Composition& composition, std::string_view key) {
  return select_as_is(whole_config(composition), key, resolvers_of(composition, Resolvers::standard()));
}

}  // namespace modelmeter::config
