#include "cli/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "api/advice.h"
#include "api/config_source.h"
#include "base/error.h"
#include "cli/config_text.h"
#include "cli/help.h"
#include "cli/hydra_job.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::cli {
namespace {

namespace fs = std::filesystem;

bool is_multirun_mode(const config::Composition& composition) {
  const config::Node* mode = composition.hydra.find("mode");
  return mode != nullptr && mode->is(config::Kind::string) && mode->as_string() == "MULTIRUN";
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
      {"--trace", "-t", "FILE", "a recording of any model in place of a configuration (docs/recordings.md)"},
      {"--config-dir", "-cd", "DIR", "one more folder of configs, searched after the built-in ones"},
      {"--config-path", "-cp", "DIR", "a folder of configs in place of the built-in ones"},
      {"--cfg", "-c", "job|hydra|all", "print the composed configuration and stop"},
      {"--resolve", "", "", "with --cfg: resolve interpolations"},
      {"--package", "-p", "KEY", "with --cfg: print this part of it"},
      {"--info", "-i", "[all|config|defaults|defaults-tree|plugins|searchpath]",
       "print where the configuration is from, and stop"},
      {"--hydra-help", "", "", "print the help of hydra.hydra_help: flags and the groups of hydra/"},
      {"--run", "-r", "", "run one job; what is done anyway"},
      {"--multirun", "-m", "", "analyze: a job for each combination of values: key=1,2 key=range(1,9,2) group=glob(*)"},
      {"--shell-completion", "-sc", "", "install=bash, uninstall=bash, query=bash; zsh and fish likewise"},
  };
  return flags;
}

std::string config_help(const std::string& command, const Arguments& arguments, const std::vector<Flag>& flags) {
  std::string out = command_help(command, flags);
  if (!arguments.has("--config-name")) return out;
  static_cast<void>(is_shown(arguments));
  const Session session = Session::composed_only(arguments, files_and_words(arguments.rest()).words);
  return out + "\n" + app_help(session.composition(), session.repository(), arguments.has("--resolve"));
}

config::Repository repository_of(const Arguments& arguments) {
  return config::Repository(arguments.value("--config-path", find_data_root() + "/configs"),
                            arguments.values("--config-dir"));
}

config::Repository Session::repository(const Arguments& arguments, std::vector<std::string>& overrides) {
  const std::string primary = arguments.value("--config-path", files_.root + "/configs");
  user_files_.emplace(primary, take_user_files(overrides));
  return config::Repository(user_files_->file_system(), primary, arguments.values("--config-dir"));
}

void Session::open(const Arguments& arguments, std::vector<std::string> words) {
  files_.root = find_data_root();
  repository_ = repository(arguments, words);
  repository_->keep_files();  // a command that builds many models reads each file once
  name_ = arguments.value("--config-name");
  overrides_ = with_report_keys(std::move(words));
  if (arguments.has("--trace")) take_recording(arguments);
  if (arguments.has("--hydra-help")) name_.clear();
  if (name_.empty() && !arguments.has("--hydra-help")) {
    throw Error(ErrorCode::usage, "which configuration? --config-name NAME is missing", {},
                {fmt::format("there are: {}", fmt::join(entry_configs(*repository_), ", "))});
  }
}

// --trace FILE is a configuration of its own, whose model is the file.
void Session::take_recording(const Arguments& arguments) {
  if (!name_.empty()) {
    throw Error(ErrorCode::usage, "--trace and --config-name: what ran is either recorded or composed", {},
                {"modelmeter compare takes two reports"});
  }
  name_ = recording_config;
  overrides_.insert(overrides_.begin(), recording_word(arguments.value("--trace")));
}

std::optional<Session> Session::beside_files(const Arguments& arguments, const std::vector<std::string>& words) {
  static_cast<void>(is_shown(arguments));
  if (arguments.has("--config-name") || arguments.has("--trace") || arguments.has("--hydra-help")) {
    Session out(arguments, words);
    if (out.multirun_ && out.shown_.empty()) out.refuse_multirun();
    return out;
  }
  for (const char* flag : {"--cfg", "--info", "--multirun", "--run"}) {
    if (arguments.has(flag)) throw Error(ErrorCode::usage, fmt::format("{} goes with --config-name", flag));
  }
  if (!words.empty()) throw Error(ErrorCode::usage, fmt::format("'{}' goes with --config-name", words.front()));
  return std::nullopt;
}

void Session::refuse_multirun() const { throw Error("hydra.mode=MULTIRUN: modelmeter analyze runs many jobs"); }

Session::Session(const Arguments& arguments, const std::vector<std::string>& words) {
  const bool shows = is_shown(arguments), many = arguments.has("--multirun");
  open(arguments, words);
  try {
    composition_ = composed(overrides_, many && shows);
    choices_ = composition_.choices;
    multirun_ = is_multirun_mode(composition_);
    warn(arguments);
    if (shows) {
      show(arguments);
      return;
    }
    if (many) throw Error(ErrorCode::usage, "--multirun: modelmeter analyze runs many jobs");
    if (multirun_) return;
    begin_run(composition_);
    config_ = config::resolve(composition_);
  } catch (const Error& error) {
    throw advised(without_vain_advice(error, overrides_, attempt()));
  }
}

// Whether words run.
std::function<void(const std::vector<std::string>&)> Session::attempt() const {
  return [this](const std::vector<std::string>& words) {
    const config::Composition composition = composed(words);
    const config::Node node = config::resolve(composition);
    build_model(config::View(node), files_);
    machine_of(config::View(node), composition.choices);
  };
}

Error Session::advised(const Error& error) const {
  return user_files_->renamed(with_errors_of_other_words(error, overrides_, attempt()));
}

void Session::warn(const Arguments& arguments) const {
  for (const std::string& text : composition_.warnings) note(arguments, "warning: " + text);
}

std::unique_ptr<AnalyticModel> Session::model() const {
  if (multirun_) refuse_multirun();
  try {
    return build_model(view(), files_);
  } catch (const Error& error) {
    throw advised(error);
  }
}

config::Composition Session::composed(const std::vector<std::string>& overrides, bool multirun) const {
  return config::compose(*repository_, name_, overrides,
                         {.working_directory = working_directory(), .multirun = multirun});
}

void Session::show(const Arguments& arguments) {
  if (arguments.has("--multirun")) config::set_mode(composition_, "MULTIRUN");
  // What --cfg hydra shows has no folder yet, as Hydra has it; the job may ask for it.
  config::Composition shown = composition_;
  const bool of_job = arguments.value("--cfg") == "job" && arguments.has("--resolve");
  if (const std::optional<std::string> dir = of_job ? run_dir_of(shown) : std::nullopt) place_output(shown, *dir);
  shown_ = shown_text(arguments, shown, *repository_);
}

Session Session::multirun(const Arguments& arguments, const std::vector<std::string>& words, bool many) {
  Session out;
  out.open(arguments, words);
  out.repository_->keep_files();
  try {
    out.composition_ = out.composed(out.overrides_, many);
    if (many) out.warn(arguments);
    out.multirun_ = is_multirun_mode(out.composition_);
    if (is_shown(arguments)) {
      out.show(arguments);
    } else {
      require_followed(out.composition_.hydra);
    }
  } catch (const Error& error) {
    throw out.user_files_->renamed(error);
  }
  return out;
}

Session Session::composed_only(const Arguments& arguments, const std::vector<std::string>& words) {
  Session out;
  out.open(arguments, words);
  try {
    out.composition_ = out.composed(out.overrides_, arguments.has("--multirun"));
    out.warn(arguments);
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
  if (job == nullptr || hydra.find("runtime") == nullptr) throw Error("the hydra node has no job and no runtime");
  job->set("id", config::Node::string(std::to_string(number), {}, '\''));
  job->set("num", config::Node::integer(number));
  const std::string subdir = hydra_text(out.composition, "sweep.subdir");  // "": no folder of its own
  // The job's own hydra.sweep.dir, which may follow what it sets.
  const fs::path parent = sweep_folder.empty() ? fs::path(".")
                                               : fs::path(hydra_text(composition_, "runtime.cwd")) /
                                                     hydra_text(out.composition, "sweep.dir");
  out.folder = (parent / subdir).lexically_normal().string();
  place_output(out.composition, out.folder);
  return out;
}

std::unique_ptr<AnalyticModel> Session::model_with(const std::vector<std::string>& overrides) const {
  std::vector<std::string> all = overrides_;
  all.insert(all.end(), overrides.begin(), overrides.end());
  const config::Node config = config::resolve(composed(all));
  return build_model(config::View(config), files_);
}

std::vector<config::Node> Session::default_hardware() const {
  return {hardware_option(*repository_, "stack", default_stack_name),
          hardware_option(*repository_, "host", default_host_name)};
}

std::optional<Machine> Session::machine() const { return machine_of(view(), choices_); }

std::optional<Machine> Session::machine_of(const config::View& root, const Choices& choices) const {
  try {
    return chosen_machine(root, choices, *repository_);
  } catch (const Error& error) {
    throw user_files_->renamed(error);
  }
}

}  // namespace modelmeter::cli
