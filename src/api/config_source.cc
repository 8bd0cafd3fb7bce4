#include "api/config_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "hardware/catalog.h"
#include "model/parallel_plan.h"

namespace modelmeter {

std::string recording_word(const std::string& file) {
  std::string quoted;
  for (const char c : file) {
    if (c == '\'') quoted += '\\';
    quoted += c;
  }
  return "model.trace='" + quoted + "'";
}

std::vector<std::string> with_report_keys(std::vector<std::string> overrides) {
  for (std::string& override : overrides) {
    if (override.compare(0, 7, "run_id=") == 0) override.insert(0, "report.");
  }
  return overrides;
}

std::vector<UserFile> take_user_files(std::vector<std::string>& words) {
  std::vector<UserFile> files;
  for (std::string& text : words) {
    for (const std::string group : {"device", "host", "stack", "cluster"}) {
      const std::string start = group + "=";
      if (text.rfind(start, 0) != 0) continue;
      std::string named = start;
      for (size_t begin = start.size(); begin <= text.size();) {
        const size_t comma = std::min(text.find(',', begin), text.size());
        std::string option = text.substr(begin, comma - begin);
        if (is_file_name(option)) {
          files.push_back({group, std::move(option)});
          option = files.back().option();
        }
        named += option + (comma < text.size() ? "," : "");
        begin = comma + 1;
      }
      text = std::move(named);
    }
  }
  return files;
}

namespace {

// Of the device that it is with, and large enough for the plan.
std::optional<Cluster> chosen_cluster(const config::View& root, const std::string& name, const std::string& device,
                                      const config::Repository& repository) {
  if (!root.has("cluster")) return std::nullopt;
  const config::View at = root.at("cluster");
  Cluster out = read_cluster(at, name);
  if (!out.devices.empty() && std::find(out.devices.begin(), out.devices.end(), device) == out.devices.end()) {
    const std::vector<std::string> fitting = clusters_of(repository, device);
    throw at.error(fmt::format("{} is made of {}, not of {}", name, fmt::join(out.devices, ", "), device),
                   {fitting.empty() ? fmt::format("no file of configs/cluster is of {}", device)
                                    : fmt::format("of {}: cluster={}", device, fmt::join(fitting, ", "))});
  }
  const int64_t ranks = root.has("plan") ? ParallelPlan::read(root).world_size : 1;
  if (ranks > out.gpus()) {
    throw at.error(fmt::format("the plan's {} ranks are more than the {} GPUs of {}", ranks, out.gpus(), name),
                   {"cluster.nodes=N is N of its nodes, where the file says how they are connected"});
  }
  return out;
}

}  // namespace

std::optional<Machine> chosen_machine(const config::View& root,
                                      const std::vector<std::pair<std::string, std::string>>& choices,
                                      const config::Repository& repository) {
  if (!root.has("device")) {
    for (const char* group : {"host", "stack", "cluster"}) {
      if (root.has(group)) {
        throw root.at(group).error("there is no device that it goes with",
                                   {fmt::format("devices: {}", fmt::join(device_names(repository), ", "))});
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
  return config::with_all_errors([&] {
    return Machine(
        read_device(root.child("device"), chosen("device")),
        root.has("stack") ? read_kernel_stack(root.child("stack"), chosen("stack"))
                          : load_kernel_stack(repository, default_stack_name),
        root.has("host") ? read_host(root.child("host"), chosen("host")) : load_host(repository, default_host_name),
        chosen_cluster(root, chosen("cluster"), chosen("device"), repository));
  });
}

}  // namespace modelmeter
