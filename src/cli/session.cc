#include "cli/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "config/yaml.h"

namespace modelmeter::cli {
namespace {

namespace fs = std::filesystem;

bool is_data_root(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder / "configs", ignored) && fs::is_directory(folder / "models", ignored);
}

// run_id=NAME, as the forerunner had it, is report.run_id.
std::vector<std::string> with_report_keys(std::vector<std::string> overrides) {
  for (std::string& override : overrides) {
    if (override.compare(0, 7, "run_id=") == 0) override.insert(0, "report.");
  }
  return overrides;
}

// hydra.run.dir, where it is set, is the run's folder.
void place_run(config::Composition& composition) {
  const auto sets_folder = [](const std::string& override) {
    return override.find("hydra.run.dir=") < 3;  // after + or ++
  };
  const std::vector<std::string>& given = composition.hydra_overrides;
  config::Node* report = composition.config.find("report");
  if (report == nullptr || !std::any_of(given.begin(), given.end(), sets_folder)) return;
  report->set("run_dir", config::Node::string("${hydra:run.dir}"));
}

std::vector<std::string> entry_configs(const config::Repository& repository) { return repository.options(""); }

}  // namespace

const std::vector<Flag>& config_flags() {
  static const std::vector<Flag> flags = {
      {"--config-name", "-cn", "NAME", "the entry file in configs/, e.g. wan2_1_t2v_14b"},
      {"--config-dir", "-cd", "DIR", "one more folder of configs, searched after the built-in ones"},
      {"--config-path", "-cp", "DIR", "a folder of configs in place of the built-in ones"},
      {"--cfg", "-c", "job", "print the composed configuration and stop"},
      {"--resolve", "", "", "with --cfg: resolve interpolations"},
  };
  return flags;
}

std::string find_data_root() {
  std::vector<std::string> looked;
  if (const char* given = std::getenv("MODELMETER_DATA_DIR"); given != nullptr && *given != '\0') {
    if (is_data_root(given)) return (fs::absolute(given) / "").lexically_normal().parent_path().string();
    throw Error(fmt::format("MODELMETER_DATA_DIR is {}, which has no configs/ and models/", given));
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path folder = program.parent_path();
  for (const fs::path& candidate :
       {folder / ".." / "share" / "modelmeter", folder / ".." / "..", folder / "..", folder}) {
    if (is_data_root(candidate)) return (candidate / "").lexically_normal().parent_path().string();
    looked.push_back(candidate.lexically_normal().string());
  }
  throw Error("the folder with configs/ and models/ was not found", {},
              {fmt::format("looked in {}", fmt::join(looked, ", ")), "MODELMETER_DATA_DIR can name it"});
}

Session::Session(const Arguments& arguments) {
  files_.root = find_data_root();
  const std::string primary = arguments.value("--config-path", files_.root + "/configs");
  const config::Repository repository(primary, arguments.values("--config-dir"));
  const std::string name = arguments.value("--config-name");
  if (name.empty()) {
    throw Error(ErrorCode::usage, "which configuration? --config-name NAME is missing", {},
                {fmt::format("there are: {}", fmt::join(entry_configs(repository), ", "))});
  }
  config::Composition composition = config::compose(repository, name, with_report_keys(arguments.rest()));
  if (arguments.has("--cfg")) {
    const std::string which = arguments.value("--cfg");
    if (which != "job") throw Error(ErrorCode::usage, fmt::format("--cfg {}: only 'job' can be shown", which));
    shown_ = config::to_yaml(arguments.has("--resolve") ? config::resolve(composition) : composition.config);
    return;
  }
  if (arguments.has("--resolve")) throw Error(ErrorCode::usage, "--resolve goes with --cfg job");
  place_run(composition);
  config_ = config::resolve(composition);
}

}  // namespace modelmeter::cli
