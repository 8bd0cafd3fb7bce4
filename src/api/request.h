// A configuration as a front end asks for it, composed: what is in it is built from here.
//
//   const Request request({"wan2_1_t2v_14b", {"workload.num_frames=81", "device=h100_sxm"}});
//   const std::unique_ptr<AnalyticModel> model = request.model();
//   const std::optional<Machine> machine = request.machine();
//
// It does not change: any number of threads may use one. What Hydra does around a job of a command line (hydra.*) is
// refused here.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/compose.h"
#include "hardware/catalog.h"
#include "model/registry.h"
#include "timing/machine.h"

namespace modelmeter {

struct ConfigRequest {
  std::string config_name;               // an entry file in configs/: "wan2_1_t2v_14b"
  std::vector<std::string> overrides;    // words as of the command line
  std::string config_path;               // a folder of configs in place of the built-in ones; ""
  std::vector<std::string> config_dirs;  // more folders, searched after it
};

class Request {
 public:
  // Composes and resolves. Error with the place and a did-you-mean.
  explicit Request(ConfigRequest asked);

  const ConfigRequest& asked() const { return asked_; }
  const config::Composition& composition() const { return composition_; }
  const config::Node& config() const { return config_; }  // resolved
  config::View view() const { return config::View(config_); }
  std::string json() const;

  std::unique_ptr<AnalyticModel> model() const;
  // The same with more overrides. Error where the configuration cannot have them.
  std::unique_ptr<AnalyticModel> model_with(const std::vector<std::string>& overrides) const;
  // The device with its stack and host, or nothing where the configuration names none.
  std::optional<Machine> machine() const;

 private:
  config::Composition composed(const std::vector<std::string>& overrides) const;
  std::optional<Machine> machine_of(const config::View& root, const config::Composition& composition) const;
  Error advised(const Error& error) const;
  std::function<void(const std::vector<std::string>&)> attempt() const;

  ConfigRequest asked_;
  std::vector<std::string> words_;
  DataFiles files_;
  std::optional<UserFiles> user_files_;
  std::optional<config::Repository> repository_;
  config::Composition composition_;
  config::Node config_;
};

// The names that ConfigRequest::config_name can have.
std::vector<std::string> config_names(const std::string& config_path = "",
                                      const std::vector<std::string>& config_dirs = {});

}  // namespace modelmeter
