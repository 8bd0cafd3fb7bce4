#include "hardware/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/edit_distance.h"
#include "config/compose.h"

namespace modelmeter {
namespace {

// The disk, on which a user's file stands in a config group.
class DiskWithFiles : public config::DiskFileSystem {
 public:
  explicit DiskWithFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}

  std::optional<std::string> read(const std::string& path) const override { return DiskFileSystem::read(real(path)); }
  bool is_file(const std::string& path) const override { return DiskFileSystem::is_file(real(path)); }

 private:
  const std::string& real(const std::string& path) const {
    const auto found = files_.find(path);
    return found == files_.end() ? path : found->second;
  }

  std::map<std::string, std::string> files_;
};

}  // namespace

bool is_file_name(std::string_view name) {
  constexpr std::string_view ending = ".yaml";
  return name.size() > ending.size() && name.substr(name.size() - ending.size()) == ending;
}

std::string UserFile::option() const { return std::filesystem::path(path).stem().string(); }

UserFiles::UserFiles(std::string configs, std::vector<UserFile> files)
    : configs_(std::move(configs)), files_(std::move(files)) {
  for (const UserFile& file : files_) {
    if (!config::DiskFileSystem().is_file(file.path)) throw Error(fmt::format("{}: no such file", file.path));
  }
}

std::string UserFiles::place_of(const UserFile& file) const {
  return fmt::format("{}/{}/{}.yaml", configs_, file.group, file.option());
}

std::shared_ptr<const config::FileSystem> UserFiles::file_system() const {
  std::map<std::string, std::string> paths;
  for (const UserFile& file : files_) paths[place_of(file)] = file.path;
  return std::make_shared<DiskWithFiles>(std::move(paths));
}

Error UserFiles::renamed(const Error& error) const {
  SourceSpan span = error.span();
  for (const UserFile& file : files_) {
    if (span.file == place_of(file)) span.file = file.path;
  }
  return Error(error.code(), error.message(), std::move(span), error.notes());
}

std::vector<std::string> device_names(const config::Repository& repository) { return repository.options("device"); }

config::Node hardware_option(const config::Repository& repository, const std::string& group, const std::string& name) {
  if (!repository.has_config(group + "/" + name)) {
    throw Error(fmt::format("unknown {} '{}'", group, name), {},
                name_notes(name, repository.options(group), group + "s"));
  }
  return config::resolve(config::compose(repository, "", {fmt::format("+{}={}", group, name)}));
}

Device load_device(const config::Repository& repository, const std::string& name) {
  const config::Node node = hardware_option(repository, "device", name);
  return read_device(config::View(node).child("device"), name);
}

KernelStack load_kernel_stack(const config::Repository& repository, const std::string& name) {
  const config::Node node = hardware_option(repository, "stack", name);
  return read_kernel_stack(config::View(node).child("stack"), name);
}

Host load_host(const config::Repository& repository, const std::string& name) {
  const config::Node node = hardware_option(repository, "host", name);
  return read_host(config::View(node).child("host"), name);
}

Cluster load_cluster(const config::Repository& repository, const std::string& name) {
  const config::Node node = hardware_option(repository, "cluster", name);
  return read_cluster(config::View(node).child("cluster"), name);
}

std::vector<std::string> clusters_of(const config::Repository& repository, const std::string& device) {
  std::vector<std::string> out;
  for (const std::string& name : repository.options("cluster")) {
    const Cluster cluster = load_cluster(repository, name);
    if (std::find(cluster.devices.begin(), cluster.devices.end(), device) != cluster.devices.end()) out.push_back(name);
  }
  return out;
}

}  // namespace modelmeter
