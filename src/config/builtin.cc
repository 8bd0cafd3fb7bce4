#include "config/builtin.h"

namespace modelmeter::config {
namespace {

// HydraConf; what its groups say comes first.
constexpr const char* kConfig = R"(defaults:
  - output: default
  - launcher: basic
  - sweeper: basic
  - help: default
  - hydra_help: default
  - hydra_logging: default
  - job_logging: default
  - callbacks: null
  - env: default
  - _self_
mode: null
searchpath: []
run:
  dir: ???
sweep:
  dir: ???
  subdir: ???
hydra_logging: ???
job_logging: ???
sweeper: ???
launcher: ???
callbacks: {}
help:
  app_name: ???
  header: ???
  footer: ???
  template: ???
hydra_help:
  hydra_help: ???
  template: ???
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

constexpr const char* kDebugLog = R"yaml(version: 1
formatters:
  simple:
    format: '[%(asctime)s][%(name)s][%(levelname)s] - %(message)s'
handlers:
  file:
    class: logging.FileHandler
    mode: w
    formatter: simple
    filename: hydra-${hydra.job.name}.log
    delay: true
root:
  level: ERROR
  handlers: [file]

loggers:
  hydra:
    level: DEBUG

disable_existing_loggers: false
)yaml";

constexpr const char* kHelp = R"yaml(app_name: ${hydra.job.name}

header: |
  ${hydra.help.app_name} is powered by Hydra.

footer: |
  Powered by Hydra (https://hydra.cc)
  Use --hydra-help to view Hydra specific help

template: |
  ${hydra.help.header}
  == Configuration groups ==
  Compose your configuration from those groups (group=option)

  $APP_CONFIG_GROUPS

  == Config ==
  Override anything in the config (foo.bar=value)

  $CONFIG

  ${hydra.help.footer}
)yaml";

constexpr const char* kHydraHelp = R"yaml(template: |
  Hydra (${hydra.runtime.version})
  See https://hydra.cc for more info.

  == Flags ==
  $FLAGS_HELP

  == Configuration groups ==
  Compose your configuration from those groups (For example, append hydra/job_logging=disabled to command line)

  $HYDRA_CONFIG_GROUPS

  Use '--cfg hydra' to Show the Hydra config.
)yaml";

constexpr const char* kHydraLog = R"yaml(version: 1
formatters:
  simple:
    format: "[%(asctime)s][HYDRA] %(message)s"
handlers:
  console:
    class: logging.StreamHandler
    formatter: simple
    stream: ext://sys.stdout
root:
  level: INFO
  handlers: [console]

loggers:
  logging_example:
    level: DEBUG

disable_existing_loggers: false
)yaml";

constexpr const char* kJobLog = R"yaml(version: 1
formatters:
  simple:
    format: '[%(asctime)s][%(name)s][%(levelname)s] - %(message)s'
handlers:
  console:
    class: logging.StreamHandler
    formatter: simple
    stream: ext://sys.stdout
  file:
    class: logging.FileHandler
    formatter: simple
    filename: ${hydra.runtime.output_dir}/${hydra.job.name}.log
root:
  level: INFO
  handlers: [console, file]

disable_existing_loggers: false
)yaml";

constexpr const char* kOutput = R"yaml(# @package hydra

run:
  dir: outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}
sweep:
  dir: multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}
  subdir: ${hydra.job.num}
)yaml";

constexpr const char* kPlainLog = R"yaml(version: 1
formatters:
  simple:
    format: '%(message)s'
handlers:
  console:
    class: logging.StreamHandler
    formatter: simple
    stream: ext://sys.stdout
root:
  level: INFO
  handlers: [console]

disable_existing_loggers: false
)yaml";

constexpr const char* kNoLog = "version: 1\nroot: null\ndisable_existing_loggers: false\n";
constexpr const char* kDisabledLog = "version: 1\nroot:\n  level: ERROR\ndisable_existing_loggers: true\n";

constexpr const char* kLauncher = "_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher\n";
constexpr const char* kJoblib =
    "_target_: hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher\nn_jobs: -1\n";
constexpr const char* kSweeper =
    "_target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper\nmax_batch_size: null\nparams: null\n";

}  // namespace

std::shared_ptr<const FileSystem> builtin_files() {
  static const auto files = [] {
    const std::string dir = std::string(kBuiltinDir) + "/hydra/";
    return std::make_shared<const MemoryFileSystem>(std::map<std::string, std::string>{
        {dir + "config.yaml", kConfig},
        {dir + "output/default.yaml", kOutput},
        {dir + "launcher/basic.yaml", kLauncher},
        {dir + "launcher/joblib.yaml", kJoblib},
        {dir + "sweeper/basic.yaml", kSweeper},
        {dir + "help/default.yaml", kHelp},
        {dir + "hydra_help/default.yaml", kHydraHelp},
        {dir + "hydra_logging/default.yaml", kHydraLog},
        {dir + "hydra_logging/disabled.yaml", kDisabledLog},
        {dir + "hydra_logging/hydra_debug.yaml", kDebugLog},
        {dir + "hydra_logging/none.yaml", kNoLog},
        {dir + "job_logging/default.yaml", kJobLog},
        {dir + "job_logging/disabled.yaml", kDisabledLog},
        {dir + "job_logging/none.yaml", kNoLog},
        {dir + "job_logging/stdout.yaml", kPlainLog},
        {dir + "env/default.yaml", ""},
    });
  }();
  return files;
}

}  // namespace modelmeter::config
