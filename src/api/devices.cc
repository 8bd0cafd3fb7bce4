#include "api/devices.h"

#include "api/data_root.h"
#include "base/error.h"
#include "hardware/catalog.h"

namespace modelmeter {

std::vector<Device> devices_named(const std::vector<std::string>& names, const std::vector<std::string>& config_dirs) {
  const std::string configs = find_data_root() + "/configs";
  std::vector<UserFile> files;
  std::vector<std::string> options;
  for (const std::string& name : names) {
    if (is_file_name(name)) files.push_back({"device", name});
    options.push_back(is_file_name(name) ? files.back().option() : name);
  }
  const UserFiles user(configs, files);
  const config::Repository repository(user.file_system(), configs, config_dirs);
  std::vector<Device> out;
  try {
    for (const std::string& name : names.empty() ? device_names(repository) : options) {
      out.push_back(load_device(repository, name));
    }
  } catch (const Error& error) {
    throw user.renamed(error);
  }
  return out;
}

std::vector<Cluster> all_clusters(const std::vector<std::string>& config_dirs) {
  const config::Repository repository(find_data_root() + "/configs", config_dirs);
  std::vector<Cluster> out;
  for (const std::string& name : repository.options("cluster")) out.push_back(load_cluster(repository, name));
  return out;
}

}  // namespace modelmeter
