#include "cli/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "cli/advice.h"
#include "config/scalar.h"
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

bool is_multirun_mode(const config::Composition& composition) {
  const config::Node* mode = composition.hydra.find("mode");
  return mode != nullptr && mode->is(config::Kind::string) && mode->as_string() == "MULTIRUN";
}

std::string working_directory() {
  std::error_code ignored;
  return fs::current_path(ignored).string();
}

constexpr const char* default_stack_name = "torch_2_11";
constexpr const char* default_host_name = "virtual_16_cores";

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

// Options of the hardware groups may be files of the user's: device=path/to/mine.yaml.
config::Repository Session::repository(const Arguments& arguments, std::vector<std::string>& overrides) {
  const std::string primary = arguments.value("--config-path", files_.root + "/configs");
  std::vector<UserFile> files;
  for (std::string& text : overrides) {
    for (const std::string group : {"device", "host", "stack"}) {
      const std::string start = group + "=";
      if (text.rfind(start, 0) != 0 || !is_file_name(text)) continue;
      files.push_back({group, text.substr(start.size())});
      text = start + files.back().option();
    }
  }
  user_files_.emplace(primary, std::move(files));
  return config::Repository(user_files_->file_system(), primary, arguments.values("--config-dir"));
}

void Session::open(const Arguments& arguments, std::vector<std::string> words) {
  files_.root = find_data_root();
  repository_ = repository(arguments, words);
  name_ = arguments.value("--config-name");
  overrides_ = with_report_keys(std::move(words));
  if (name_.empty()) {
    throw Error(ErrorCode::usage, "which configuration? --config-name NAME is missing", {},
                {fmt::format("there are: {}", fmt::join(entry_configs(*repository_), ", "))});
  }
}

Session::Session(const Arguments& arguments) {
  open(arguments, arguments.rest());
  try {
    config::Composition composition = composed(overrides_);
    choices_ = composition.choices;
    multirun_ = is_multirun_mode(composition);
    if (arguments.has("--cfg")) {
      const std::string which = arguments.value("--cfg");
      if (which != "job") throw Error(ErrorCode::usage, fmt::format("--cfg {}: only 'job' can be shown", which));
      shown_ = config::to_yaml(arguments.has("--resolve") ? config::resolve(composition) : composition.config);
      return;
    }
    if (arguments.has("--resolve")) throw Error(ErrorCode::usage, "--resolve goes with --cfg job");
    place_run(composition);
    config_ = config::resolve(composition);
  } catch (const Error& error) {
    throw user_files_->renamed(without_vain_advice(error, overrides_, [&](const std::vector<std::string>& words) {
      const config::Composition composition = composed(words);
      const config::Node node = config::resolve(composition);
      build_model(config::View(node), files_);
      machine_of(config::View(node), composition.choices);
    }));
  }
}

config::Composition Session::composed(const std::vector<std::string>& overrides, bool multirun) const {
  return config::compose(*repository_, name_, overrides,
                         {.working_directory = working_directory(), .multirun = multirun});
}

void Session::show(const Arguments& arguments) {
  const std::string which = arguments.value("--cfg");
  if (which != "job") throw Error(ErrorCode::usage, fmt::format("--cfg {}: only 'job' can be shown", which));
  shown_ = config::to_yaml(arguments.has("--resolve") ? config::resolve(composition_) : composition_.config);
}

Session Session::multirun(const Arguments& arguments, const std::vector<std::string>& words, bool many) {
  Session out;
  out.open(arguments, words);
  out.repository_->keep_files();
  try {
    out.composition_ = out.composed(out.overrides_, many);
    out.multirun_ = is_multirun_mode(out.composition_);
    if (arguments.has("--cfg")) out.show(arguments);
  } catch (const Error& error) {
    throw out.user_files_->renamed(error);
  }
  return out;
}

config::Composition Session::composed_job(const std::vector<std::string>& words) const {
  std::vector<std::string> all = words;
  const std::vector<std::string>& hydra = composition_.hydra_overrides;
  all.insert(all.end(), hydra.begin(), hydra.end());
  return composed(all);
}

Session::Job Session::job(const std::vector<std::string>& words, int64_t number,
                          const std::string& sweep_folder) const {
  Job out{composed_job(words), {}};
  config::Node& hydra = out.composition.hydra;
  config::Node* job = hydra.find("job");
  config::Node* runtime = hydra.find("runtime");
  if (job == nullptr || runtime == nullptr) throw Error("the hydra node has no job and no runtime");
  job->set("id", config::Node::string(std::to_string(number), {}, '\''));
  job->set("num", config::Node::integer(number));
  const config::Node subdir = hydra_value(out.composition, "sweep.subdir");
  out.folder = (fs::path(sweep_folder) / config::python_str(subdir)).lexically_normal().string();
  runtime->set("output_dir", config::Node::literal(out.folder));
  return out;
}

config::Node hydra_value(const config::Composition& composition, const std::string& key) {
  config::Composition alone;
  alone.hydra = composition.hydra;
  alone.config = config::Node::map();
  alone.config.set("value", config::Node::string(fmt::format("${{hydra:{}}}", key)));
  try {
    return *config::resolve(alone).find("value");
  } catch (const Error&) {  // it reads the job's configuration
    alone.config = composition.config;
    alone.config.set("hydra_value", config::Node::string(fmt::format("${{hydra:{}}}", key)));
    return *config::resolve(alone).find("hydra_value");
  }
}

std::unique_ptr<AnalyticModel> Session::model_with(const std::vector<std::string>& overrides) const {
  std::vector<std::string> all = overrides_;
  all.insert(all.end(), overrides.begin(), overrides.end());
  const config::Node config = config::resolve(composed(all));
  return build_model(config::View(config), files_);
}

std::optional<Machine> Session::machine() const { return machine_of(view(), choices_); }

std::optional<Machine> Session::machine_of(const config::View& root, const Choices& choices) const {
  if (!root.has("device")) {
    for (const char* group : {"host", "stack"}) {
      if (root.has(group)) {
        throw root.at(group).error("there is no device that it goes with",
                                   {fmt::format("devices: {}", fmt::join(device_names(*repository_), ", "))});
      }
    }
    return std::nullopt;
  }
  const auto chosen = [&](const char* group) {
    for (const auto& [name, option] : choices) {
      if (name == group) return option;
    }
    return std::string(group);
  };
  try {
    return Machine(
        read_device(root.child("device"), chosen("device")),
        root.has("stack") ? read_kernel_stack(root.child("stack"), chosen("stack"))
                          : load_kernel_stack(*repository_, default_stack_name),
        root.has("host") ? read_host(root.child("host"), chosen("host")) : load_host(*repository_, default_host_name));
  } catch (const Error& error) {
    throw user_files_->renamed(error);
  }
}

}  // namespace modelmeter::cli
