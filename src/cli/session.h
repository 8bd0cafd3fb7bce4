// What the commands that compose a configuration share: where the files are, the composed configuration, the model.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "config/compose.h"
#include "hardware/catalog.h"
#include "model/registry.h"
#include "timing/machine.h"

namespace modelmeter::cli {

// --config-name, --config-dir, --cfg, --resolve.
const std::vector<Flag>& config_flags();

// The folder that holds configs/ and models/: $MODELMETER_DATA_DIR, the source tree that the program was built in, or
// share/modelmeter under its install prefix. Error saying where it was looked for.
std::string find_data_root();

class Session {
 public:
  // Composes the configuration that the arguments name. Error (usage) without --config-name, listing those there are.
  explicit Session(const Arguments& arguments);

  // --cfg: the text to print instead of running; empty if it was not given.
  const std::string& shown_config() const { return shown_; }
  const config::Node& config() const { return config_; }
  config::View view() const { return config::View(config_); }
  std::unique_ptr<AnalyticModel> model() const { return build_model(view(), files_); }
  // The same with more overrides. Error where the configuration cannot have them.
  std::unique_ptr<AnalyticModel> model_with(const std::vector<std::string>& overrides) const;
  // The device, with the stack and the host that drive it (by default torch_2_11 and virtual_16_cores), or nothing
  // where the configuration names none. Error where it names a stack or a host without a device.
  std::optional<Machine> machine() const;

 private:
  using Choices = std::vector<std::pair<std::string, std::string>>;  // groups and their options

  std::optional<Machine> machine_of(const config::View& root, const Choices& choices) const;
  config::Composition composed(const std::vector<std::string>& overrides) const;
  config::Repository repository(const Arguments& arguments, std::vector<std::string>& overrides);

  DataFiles files_;
  std::string name_;
  std::vector<std::string> overrides_;
  std::optional<UserFiles> user_files_;
  std::optional<config::Repository> repository_;
  Choices choices_;
  config::Node config_;
  std::string shown_;
};

}  // namespace modelmeter::cli
