// Where devices are found: the files of configs/device, of every folder that --config-dir adds, and a file of the
// user's own, named by its path.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/repository.h"
#include "hardware/cluster.h"
#include "hardware/device.h"
#include "hardware/host.h"
#include "hardware/kernel_stack.h"

namespace modelmeter {

// Whether it names a file rather than an option of a group: it ends in .yaml.
bool is_file_name(std::string_view name);

// A file of the user's that stands in a config group as an option of it.
struct UserFile {
  std::string group, path;
  std::string option() const;  // the file's name without folder and .yaml
};

// The disk with the user's files in the groups of the folder `configs`, for a Repository to read.
class UserFiles {
 public:
  // Error where there is no such file.
  UserFiles(std::string configs, std::vector<UserFile> files);

  std::shared_ptr<const config::FileSystem> file_system() const;
  // The same error, at the file that the user named.
  Error renamed(const Error& error) const;

 private:
  std::string place_of(const UserFile& file) const;

  std::string configs_;
  std::vector<UserFile> files_;
};

// All options of the group `device`, in order of their names.
std::vector<std::string> device_names(const config::Repository& repository);

// {group: the option}, composed with what its defaults list names, resolved. Error with a did-you-mean for an unknown
// name.
config::Node hardware_option(const config::Repository& repository, const std::string& group, const std::string& name);

// An option of the group `device`, composed with what its defaults list names. Error with a did-you-mean for an unknown
// name, and those of read_device().
Device load_device(const config::Repository& repository, const std::string& name);
// The same of the groups `stack` and `host`.
KernelStack load_kernel_stack(const config::Repository& repository, const std::string& name);
Host load_host(const config::Repository& repository, const std::string& name);
Cluster load_cluster(const config::Repository& repository, const std::string& name);

// Options of the group `cluster` that are made of a device.
std::vector<std::string> clusters_of(const config::Repository& repository, const std::string& device);

}  // namespace modelmeter
