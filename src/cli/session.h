// What the commands that compose a configuration share: where the files are, the composed configuration, the model.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/data_root.h"
#include "base/error.h"
#include "cli/arguments.h"
#include "config/compose.h"
#include "hardware/catalog.h"
#include "model/registry.h"
#include "timing/machine.h"

namespace modelmeter::cli {

// --config-name, --config-dir, --cfg and the other flags of Hydra.
const std::vector<Flag>& config_flags();

// A command's help; with --config-name also the groups there are and the composed configuration.
std::string config_help(const std::string& command, const Arguments& arguments, const std::vector<Flag>& flags);

// The configs that --config-path and --config-dir name, by default those that come along.
config::Repository repository_of(const Arguments& arguments);

class Session {
 public:
  // Composes the configuration that the arguments name. Error (usage) without --config-name, listing those there are.
  explicit Session(const Arguments& arguments) : Session(arguments, arguments.rest()) {}
  // The same of these words, where others name files.
  Session(const Arguments& arguments, const std::vector<std::string>& words);
  // Of a command that needs no configuration: nothing without --config-name. Error (usage) for what goes with one.
  static std::optional<Session> beside_files(const Arguments& arguments, const std::vector<std::string>& words);

  // The same for many jobs: sweeps among the words are left out, and nothing is resolved. `many` false: of words
  // without sweeps, as one job's.
  static Session multirun(const Arguments& arguments, const std::vector<std::string>& words, bool many = true);

  // One job of a multirun.
  struct Job {
    config::Composition composition;
    std::string folder;  // hydra.sweep.dir / hydra.sweep.subdir, absolute
  };
  // words: of the job, without those of hydra.*, which are the multirun's. sweep_folder: absolute.
  Job job(const std::vector<std::string>& words, int64_t number, const std::string& sweep_folder) const;
  // The composition of a job's words alone.
  config::Composition composed_job(const std::vector<std::string>& words) const;
  const config::Composition& composition() const { return composition_; }
  const config::Repository& repository() const { return *repository_; }
  const DataFiles& files() const { return files_; }
  const std::string& config_name() const { return name_; }
  const std::vector<std::string>& words() const { return overrides_; }
  std::optional<Machine> machine(const config::View& root, const config::Composition& composition) const {
    return machine_of(root, composition.choices);
  }
  // {group: option} of the stack and the host that a device has where the configuration names none.
  std::vector<config::Node> default_hardware() const;

  // Composed, and nothing else.
  static Session composed_only(const Arguments& arguments, const std::vector<std::string>& words);

  // --cfg, --info, --hydra-help: the text to print instead of running; empty if none was given.
  const std::string& shown_config() const { return shown_; }
  // hydra.mode is MULTIRUN.
  bool asks_for_multirun() const { return multirun_; }
  const config::Node& config() const { return config_; }
  config::View view() const { return config::View(config_); }
  std::unique_ptr<AnalyticModel> model() const;
  // The same with more overrides. Error where the configuration cannot have them.
  std::unique_ptr<AnalyticModel> model_with(const std::vector<std::string>& overrides) const;
  // The device, with the stack and the host that drive it (by default torch_2_11 and virtual_16_cores), or nothing
  // where the configuration names none. Error where it names a stack or a host without a device.
  std::optional<Machine> machine() const;

 private:
  Session() = default;
  void open(const Arguments& arguments, std::vector<std::string> words);
  void take_recording(const Arguments& arguments);
  void show(const Arguments& arguments);
  [[noreturn]] void refuse_multirun() const;
  void warn(const Arguments& arguments) const;
  std::function<void(const std::vector<std::string>&)> attempt() const;
  Error advised(const Error& error) const;
  using Choices = std::vector<std::pair<std::string, std::string>>;  // groups and their options

  std::optional<Machine> machine_of(const config::View& root, const Choices& choices) const;
  config::Composition composed(const std::vector<std::string>& overrides, bool multirun = false) const;
  config::Repository repository(const Arguments& arguments, std::vector<std::string>& overrides);

  DataFiles files_;
  std::string name_;
  std::vector<std::string> overrides_;
  std::optional<UserFiles> user_files_;
  std::optional<config::Repository> repository_;
  config::Composition composition_;
  Choices choices_;
  config::Node config_;
  std::string shown_;
  bool multirun_ = false;
};

}  // namespace modelmeter::cli
