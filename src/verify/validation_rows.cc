// What the files' readers share: devices by the names that files have for them, rows that are compared or not.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "base/error.h"
#include "hardware/catalog.h"
#include "verify/profile.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

// "NVIDIA GeForce RTX 4090" is "rtx_4090".
std::string device_key(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    out += std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '_';
  }
  for (const std::string prefix : {"nvidia_", "geforce_"}) {
    if (out.rfind(prefix, 0) == 0) out.erase(0, prefix.size());
  }
  return out;
}

// The option of configs/device; "" where there is none.
std::string device_option(const std::string& name, const config::Repository& repository) {
  if (name.find("not stated") != std::string::npos) return "";
  static const std::map<std::string, std::string> names = {{"H800/H100", "h100_sxm"},
                                                           {"A800/A100", "a100_sxm"},
                                                           {"H100 SXM5", "h100_sxm"},
                                                           {"A100-80GB", "a100_sxm"},
                                                           {"A100-40G", "a100_sxm_40gb"}};
  const auto found = names.find(name);
  const std::string key = device_key(name);
  for (const std::string& option :
       {found == names.end() ? std::string() : found->second, name, key, key + "_sxm", device_of_name(name)}) {
    const bool is_option = option.find_first_of("/ ") == std::string::npos && !option.empty();
    if (is_option && repository.has_config("device/" + option)) return option;
  }
  return "";
}

}  // namespace

std::optional<Machine> machine_named(const std::string& name, const ValidationContext& context) {
  const std::string option = context.device.empty() ? device_option(name, context.repository) : context.device;
  if (option.empty()) return std::nullopt;
  // The two cards of our own measurements stood in two machines (host.csv).
  const char* host = option == "h200_sxm" ? "virtual_16_cores_h200" : "virtual_16_cores";
  return Machine(load_device(context.repository, option), load_kernel_stack(context.repository, "torch_2_11"),
                 load_host(context.repository, host));
}

std::string unknown_device(const std::string& name) {
  return name.empty() || name.find("not stated") != std::string::npos
             ? "the device is not stated"
             : fmt::format("there is no file of the device '{}'", name);
}

Validation validate_rows(const CsvTable& table, const std::string& path, const RowColumns& columns,
                         const std::function<RowOutcome(size_t)>& validate) {
  Validation out;
  for (size_t i = 0; i < table.rows(); ++i) {
    table.text(i, table.columns().back());  // Error where the file is cut
    NotCompared left = {path, i + 1, table.text(i, columns.device), table.text(i, columns.name), ""};
    try {
      RowOutcome outcome = validate(i);
      if (outcome.row) {
        outcome.row->file = path;
        out.rows.push_back(std::move(*outcome.row));
        continue;
      }
      left.why = outcome.why;
    } catch (const Error& error) {
      left.why = error.message();
    }
    out.not_compared.push_back(std::move(left));
  }
  return out;
}

}  // namespace modelmeter
