#include "hardware/catalog.h"

#include <fmt/format.h>

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

Device load_device(const config::Repository& repository, const std::string& name) {
  if (!repository.has_config("device/" + name)) {
    throw Error(fmt::format("unknown device '{}'", name), {}, name_notes(name, device_names(repository), "devices"));
  }
  const config::Composition composition = config::compose(repository, "", {"+device=" + name});
  const config::Node node = config::resolve(composition);
  return read_device(config::View(node).child("device"), name);
}

}  // namespace modelmeter
