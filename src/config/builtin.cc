#include "config/builtin.h"

namespace modelmeter::config {
namespace {

constexpr const char* kConfig = R"(defaults:
  - _self_
  - output: default
  - launcher: basic
  - sweeper: basic
  - help: default
  - hydra_help: default
  - hydra_logging: default
  - job_logging: default
  - callbacks: null
  - env: default
mode: null
searchpath: []
run:
  dir: ???
sweep:
  dir: ???
  subdir: ???
hydra_logging: {}
job_logging: {}
sweeper: {}
launcher: {}
callbacks: {}
help: {}
hydra_help: {}
output_subdir: .hydra
overrides: {hydra: [], task: []}
job:
  name: ???
  chdir: null
  override_dirname: ???
  id: ???
  num: ???
  config_name: ???
  env_set: {}
  env_copy: []
  config:
    override_dirname: {kv_sep: '=', item_sep: ',', exclude_keys: []}
runtime:
  version: ???
  version_base: ???
  cwd: ???
  config_sources: ???
  output_dir: ???
  choices: {}
verbose: false
)";

constexpr const char* kOutput = R"(# @package hydra
run:
  dir: outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}
sweep:
  dir: multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}
  subdir: ${hydra.job.num}
)";

}  // namespace

std::shared_ptr<const FileSystem> builtin_files() {
  static const auto files = [] {
    const std::string dir = std::string(kBuiltinDir) + "/hydra/";
    return std::make_shared<const MemoryFileSystem>(std::map<std::string, std::string>{
        {dir + "config.yaml", kConfig},
        {dir + "output/default.yaml", kOutput},
        {dir + "launcher/basic.yaml", "{}"},
        {dir + "launcher/joblib.yaml", "n_jobs: -1\n"},
        {dir + "sweeper/basic.yaml", "max_batch_size: null\nparams: null\n"},
        {dir + "help/default.yaml", "app_name: ${hydra.job.name}\n"},
        {dir + "hydra_help/default.yaml", "{}"},
        {dir + "hydra_logging/default.yaml", "{}"},
        {dir + "hydra_logging/disabled.yaml", "{}"},
        {dir + "hydra_logging/hydra_debug.yaml", "{}"},
        {dir + "hydra_logging/none.yaml", "{}"},
        {dir + "job_logging/default.yaml", "{}"},
        {dir + "job_logging/disabled.yaml", "{}"},
        {dir + "job_logging/none.yaml", "{}"},
        {dir + "job_logging/stdout.yaml", "{}"},
        {dir + "env/default.yaml", "{}"},
    });
  }();
  return files;
}

}  // namespace modelmeter::config
