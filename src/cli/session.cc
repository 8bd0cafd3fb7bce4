#include "cli/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

std::string working_directory() {
  std::error_code ignored;
  return fs::current_path(ignored).string();
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
  const config::Composition composition =
      config::compose(repository, name, arguments.rest(), {.working_directory = working_directory()});
  if (arguments.has("--cfg")) {
    const std::string which = arguments.value("--cfg");
    if (which != "job") throw Error(ErrorCode::usage, fmt::format("--cfg {}: only 'job' can be shown", which));
    shown_ = config::to_yaml(arguments.has("--resolve") ? config::resolve(composition) : composition.config);
    return;
  }
  if (arguments.has("--resolve")) throw Error(ErrorCode::usage, "--resolve goes with --cfg job");
  config_ = config::resolve(composition);
}

}  // namespace modelmeter::cli
