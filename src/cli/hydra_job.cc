#include "cli/hydra_job.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "cli/output.h"
#include "config/builtin.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::cli {
namespace {

namespace fs = std::filesystem;
using config::Kind;
using config::Node;

// Not what Hydra brings along.
bool is_given(const Node& node) {
  const config::Mark& mark = node.mark();
  return mark.source && mark.source->file.rfind(config::kBuiltinDir, 0) != 0;
}

const Node* node_at(const Node& hydra, std::initializer_list<const char*> keys) {
  const Node* here = &hydra;
  for (const char* key : keys) {
    here = here->find(key);
    if (here == nullptr) return nullptr;
  }
  return here;
}

// The first value of a tree that was given.
const Node* first_given(const Node& node, const std::string& path, const std::string& allowed) {
  if (path == allowed) return nullptr;
  if (node.is(Kind::map)) {
    for (const config::Entry& entry : node.entries()) {
      if (const Node* found = first_given(entry.value, path + "." + entry.key.text, allowed)) return found;
    }
    return nullptr;
  }
  return is_given(node) ? &node : nullptr;
}

void require_own_logging(const Node& hydra, const char* key, const std::string& allowed) {
  const Node* logging = hydra.find(key);
  if (logging == nullptr) return;
  if (const Node* given = first_given(*logging, key, allowed)) {
    throw Error(fmt::format("hydra.{} configures Python's logging, which is not here", key), given->span(),
                {fmt::format("hydra/{}=default, none or disabled chooses whether there is a log", key)});
  }
}

bool is_true(const Node* node) { return node != nullptr && node->is(Kind::boolean) && node->as_bool(); }

// What needs a folder of Hydra's, where there is none.
void require_no_folder(const Node& hydra) {
  const auto refuse = [](const char* key, const Node& node) {
    throw Error(fmt::format("hydra.{} is for a run in a folder of Hydra's", key), node.span(),
                {"hydra.run.dir=DIR says which"});
  };
  const Node* chdir = node_at(hydra, {"job", "chdir"});
  if (is_true(chdir)) refuse("job.chdir", *chdir);
  const Node* subdir = hydra.find("output_subdir");
  if (subdir != nullptr && is_given(*subdir) && !subdir->is(Kind::null)) refuse("output_subdir", *subdir);
}

// The report of a run in a folder: in it, under its name.
void place_report(Node& job, const std::string& written, const std::string& folder) {
  Node* report = job.find("report");
  if (report == nullptr || !report->is(Kind::map)) return;
  report->set("run_dir", Node::literal(written));
  const Node* id = report->find("run_id");
  const std::string name = fs::path(folder).filename().string();
  if ((id == nullptr || id->is(Kind::null)) && !name.empty()) report->set("run_id", Node::literal(name));
}

}  // namespace

std::string hydra_text(const config::Composition& composition, const std::string& key) {
  const std::optional<Node> found = config::resolve_key(composition, "hydra." + key);
  if (!found || found->is(Kind::null)) return "";
  if (found->is(Kind::missing)) throw Error(fmt::format("hydra.{} has no value", key));
  return config::python_str(*found);
}

void set_environment(const config::Composition& composition) {
  const std::optional<Node> set = config::resolve_key(composition, "hydra.job.env_set");
  if (!set || !set->is(Kind::map)) return;
  for (const config::Entry& entry : set->entries()) {
    const std::string value = config::python_str(entry.value);
    if (entry.key.text.empty() || ::setenv(entry.key.text.c_str(), value.c_str(), 1) != 0) {
      throw Error(fmt::format("hydra.job.env_set: '{}' cannot be set", entry.key.text), entry.key_mark.span());
    }
  }
}

bool changes_directory(const config::Composition& composition) {
  const std::optional<Node> chdir = config::resolve_key(composition, "hydra.job.chdir");
  return chdir && is_true(&*chdir);
}

void require_followed(const Node& hydra) {
  const Node* callbacks = hydra.find("callbacks");
  if (callbacks != nullptr && callbacks->is(Kind::map) && !callbacks->entries().empty()) {
    throw Error("hydra.callbacks are Python classes, which are not run here", callbacks->entries()[0].key_mark.span());
  }
  const Node* verbose = hydra.find("verbose");
  if (verbose != nullptr && !(verbose->is(Kind::boolean) && !verbose->as_bool())) {
    throw Error("hydra.verbose sets levels of Python's loggers, which are not here", verbose->span());
  }
  require_own_logging(hydra, "job_logging", "job_logging.handlers.file.filename");
  require_own_logging(hydra, "hydra_logging", "");
}

std::optional<std::string> run_dir_of(const config::Composition& composition) {
  const Node* dir = node_at(composition.hydra, {"run", "dir"});
  if (dir == nullptr || !is_given(*dir)) return std::nullopt;
  std::string out = hydra_text(composition, "run.dir");
  if (out.empty()) throw Error("hydra.run.dir: expected a folder, got ''", dir->span());
  return out;
}

void place_output(config::Composition& composition, const std::string& folder) {
  std::string absolute = fs::absolute(folder).lexically_normal().string();
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  composition.hydra.find("runtime")->set("output_dir", Node::literal(std::move(absolute)));
}

void write_hydra_files(const config::Composition& composition, const std::string& folder) {
  fs::create_directories(folder);
  const std::string subdir = hydra_text(composition, "output_subdir");
  if (subdir.empty()) return;
  Node hydra = Node::map();
  hydra.set("hydra", composition.hydra);
  const Node* task = node_at(composition.hydra, {"overrides", "task"});
  const std::string in = folder + "/" + subdir + "/";
  fs::create_directories(in);
  write_files({{in + "config.yaml", config::to_yaml(composition.config)},
               {in + "hydra.yaml", config::to_yaml(hydra)},
               {in + "overrides.yaml", config::to_yaml(task != nullptr ? *task : Node::list())}});
}

std::optional<std::string> log_file_of(const config::Composition& composition) {
  const std::optional<Node> handlers = config::resolve_key(composition, "hydra.job_logging.root.handlers");
  if (!handlers || !handlers->is(Kind::list)) return std::nullopt;
  for (const Node& handler : handlers->items()) {
    if (handler.is(Kind::string) && handler.as_string() == "file") {
      return hydra_text(composition, "job_logging.handlers.file.filename");
    }
  }
  return std::nullopt;
}

void begin_run(config::Composition& composition) {
  require_followed(composition.hydra);
  config::set_mode(composition, "RUN");
  const std::optional<std::string> dir = run_dir_of(composition);
  if (!dir) {
    require_no_folder(composition.hydra);
    set_environment(composition);
    return;
  }
  place_output(composition, *dir);
  const std::string folder = hydra_text(composition, "runtime.output_dir");
  const bool moves = changes_directory(composition);
  write_hydra_files(composition, folder);
  if (moves) fs::current_path(folder);
  if (const std::optional<std::string> log = log_file_of(composition))
    open_log(*log, hydra_text(composition, "job.name"));
  set_environment(composition);
  place_report(composition.config, moves ? folder : *dir, folder);
}

}  // namespace modelmeter::cli
