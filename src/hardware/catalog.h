// Where devices are found: the files of configs/device, of every folder that --config-dir adds, and a file of the
// user's own, named by its path.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/repository.h"
#include "hardware/device.h"

namespace modelmeter {

// Whether it names a file rather than an option of a group: it ends in .yaml.
bool is_file_name(std::string_view name);

// What composes options of a group as the disk does, with one more: the user's file, as GROUP/NAME.yaml in the folder
// of configs. Error where there is no such file.
struct UserFile {
  std::string group, path;
  std::string option() const;  // the file's name without folder and .yaml
};
std::shared_ptr<const config::FileSystem> with_user_files(const std::string& configs,
                                                          const std::vector<UserFile>& files);

// All options of the group `device`, in order of their names.
std::vector<std::string> device_names(const config::Repository& repository);

// An option of the group `device`, composed with what its defaults list names. Error with a did-you-mean for an unknown
// name, and those of read_device().
Device load_device(const config::Repository& repository, const std::string& name);

}  // namespace modelmeter
