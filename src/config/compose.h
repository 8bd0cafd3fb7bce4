// Composition: from a config name and the overrides of a command line to one configuration, as Hydra 1.3.2 does it (and
// as 1.4 does where docs/config.md says so): defaults list, merge, overrides in struct mode.
//
//   Composition run = compose(repository, "config", {"db=mysql", "db.port=3306"});
//   const Node config = resolve(run);
//
// Throws Error with Hydra's message, the place, and a did-you-mean for every name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/defaults_list.h"
#include "config/interpolation.h"
#include "config/node.h"
#include "config/repository.h"

namespace modelmeter::config {

struct Composition {
  Node config;                                               // the job's configuration, interpolations unresolved
  Node hydra;                                                // the `hydra` node
  std::string config_name;                                   // "" if there is no primary config
  std::vector<std::pair<std::string, std::string>> choices;  // group (with @package where needed) and option
  std::vector<DefaultsEntry> defaults;                       // the final defaults list
  std::vector<DefaultsTree> trees;                           // of the hydra config and of the primary
  std::vector<std::string> files;                            // every file that was merged, in order
  std::vector<std::string> overrides;                        // as given; those of hydra.* apart
  std::vector<std::string> hydra_overrides;
  std::vector<SearchPathEntry> search_path;  // with what hydra.searchpath adds
  std::vector<std::string> warnings;         // a directory of the search path that is not there
};

struct ComposeOptions {
  std::string job_name = "modelmeter";
  std::string working_directory;  // hydra.runtime.cwd; "" leaves it missing
  bool multirun = false;          // sweeps in overrides are left to the sweeper, `???` groups are allowed
};

// An empty config_name composes without a primary config.
Composition compose(const Repository& repository, std::string_view config_name,
                    const std::vector<std::string>& overrides, const ComposeOptions& options = {});

// The repository with the directories that hydra.searchpath of the words, or of the primary config, adds. What cannot
// be read adds none.
Repository searched(const Repository& repository, std::string_view config_name, const std::vector<std::string>& words);

// hydra.mode is null: it becomes RUN or MULTIRUN, as if the override had been given. Hydra keeps it so.
void set_mode(Composition& composition, const char* mode);

// The hydra node, and the job's config with it, as `--cfg hydra` and `--cfg all` show them. Hydra leaves the templates
// of its help out of the first.
Node hydra_config(const Composition& composition);
Node whole_config(const Composition& composition);

// Its config with every interpolation replaced; `${hydra:...}` reads the hydra node.
Node resolve(const Composition& composition);
Node resolve(const Composition& composition, const Resolvers& resolvers);
// The same of hydra_config() or whole_config(), or of one node: "hydra.run.dir". nullopt if it is not there.
Node resolve_all(const Composition& composition, const Node& shown);
std::optional<Node> resolve_key(const Composition& composition, std::string_view key);
// The same with what a map or list holds unresolved.
std::optional<Node> resolve_as_is(const Composition& composition, std::string_view key);

}  // namespace modelmeter::config
