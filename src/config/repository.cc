#include "config/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "config/builtin.h"

namespace modelmeter::config {
namespace {

constexpr std::string_view kExtension = ".yaml";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// The directory that an entry of a search path names: DIR, file://DIR.
std::string directory_of(std::string path) {
  constexpr std::string_view kScheme = "file://";
  if (path.compare(0, kScheme.size(), kScheme) == 0) path.erase(0, kScheme.size());
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string path_in(const std::string& dir, std::string_view path) {
  return path.empty() ? dir : fmt::format("{}/{}", dir, path);
}

void require_directory(const FileSystem& files, const std::string& dir, const std::string& message) {
  if (files.is_directory(dir)) return;
  std::vector<std::string> notes;
  if (files.is_file(dir)) notes.push_back(fmt::format("'{}' is a file", dir));
  throw Error(message, {}, std::move(notes));
}

}  // namespace

Repository::Repository(std::string primary_dir, std::vector<std::string> config_dirs)
    : Repository(std::make_shared<DiskFileSystem>(), std::move(primary_dir), std::move(config_dirs)) {}

Repository::Repository(std::shared_ptr<const FileSystem> files, std::string primary_dir,
                       std::vector<std::string> config_dirs)
    : files_(std::move(files)) {
  add(0, "hydra", kBuiltinDir, {builtin_files(), kBuiltinDir});
  const std::string primary = directory_of(std::move(primary_dir));
  require_directory(*files_, primary,
                    fmt::format("Primary config directory not found: '{}' must exist and be readable", primary));
  add(roots_.size(), "main", "file://" + primary, {files_, primary});
  for (std::string& config_dir : config_dirs) {
    const std::string dir = directory_of(std::move(config_dir));
    require_directory(*files_, dir, fmt::format("Additional config directory '{}' not found", dir));
    add(roots_.size(), "command-line", "file://" + dir, {files_, dir});
  }
}

void Repository::add(size_t position, std::string provider, std::string path, Root root) {
  const auto offset = static_cast<std::ptrdiff_t>(position);
  search_path_.insert(search_path_.begin() + offset, {std::move(provider), std::move(path), true});
  roots_.insert(roots_.begin() + offset, std::move(root));
}

Repository Repository::with_search_path(const std::vector<std::string>& directories,
                                        const std::string& provider) const {
  Repository out = *this;
  for (const std::string& path : directories) {
    // A Python package is a directory that is not there: it stays in the list, for messages.
    const bool is_package = path.compare(0, 6, "pkg://") == 0;
    const std::string dir = directory_of(path);
    out.add(out.roots_.size(), provider, is_package ? path : "file://" + dir, {files_, dir});
    out.search_path_.back().available = !is_package && files_->is_directory(dir);
  }
  return out;
}

// By the name of the config and the directories that it was looked for in; null where none has it.
struct Repository::Kept {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<const ConfigFile>> files;
};

void Repository::keep_files() { kept_ = std::make_shared<Kept>(); }

std::shared_ptr<const ConfigFile> Repository::load_shared(std::string_view config_path) const {
  std::string key(config_path);
  for (const Root& root : roots_) key += "\n" + root.dir;
  if (kept_) {
    const std::lock_guard lock(kept_->mutex);
    const auto found = kept_->files.find(key);
    if (found != kept_->files.end()) return found->second;
  }
  std::optional<ConfigFile> file = load(config_path);
  auto out = file ? std::make_shared<const ConfigFile>(*std::move(file)) : nullptr;
  if (!kept_) return out;
  const std::lock_guard lock(kept_->mutex);
  return kept_->files.emplace(key, std::move(out)).first->second;
}

std::optional<ConfigFile> Repository::load(std::string_view config_path) const {
  if (ends_with(config_path, ".yml")) {
    throw Error("Unsupported config file extension '.yml'. Config files must use the '.yaml' extension.");
  }
  if (ends_with(config_path, kExtension)) config_path.remove_suffix(kExtension.size());
  for (const Root& root : roots_) {
    const std::string file = fmt::format("{}/{}{}", root.dir, config_path, kExtension);
    if (std::optional<std::string> text = root.files->read(file)) {
      return parse_config_file(*std::move(text), file);
    }
  }
  return std::nullopt;
}

bool Repository::has_config(std::string_view config_path) const {
  if (ends_with(config_path, kExtension)) config_path.remove_suffix(kExtension.size());
  return std::any_of(roots_.begin(), roots_.end(), [&](const Root& root) {
    return root.files->is_file(fmt::format("{}/{}{}", root.dir, config_path, kExtension));
  });
}

bool Repository::has_group(std::string_view group) const {
  return std::any_of(roots_.begin(), roots_.end(),
                     [&](const Root& root) { return root.files->is_directory(path_in(root.dir, group)); });
}

std::vector<std::string> Repository::options(std::string_view group) const {
  std::vector<std::string> out;
  for (const Root& root : roots_) {
    const std::string dir = path_in(root.dir, group);
    for (const std::string& name : root.files->list(dir)) {
      if (!ends_with(name, kExtension) || !root.files->is_file(path_in(dir, name))) continue;
      out.push_back(name.substr(0, name.size() - kExtension.size()));
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<std::string> Repository::groups(std::string_view group) const {
  std::vector<std::string> out;
  for (const Root& root : roots_) {
    const std::string dir = path_in(root.dir, group);
    for (const std::string& name : root.files->list(dir)) {
      if (name[0] != '_' && root.files->is_directory(path_in(dir, name))) out.push_back(name);
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace modelmeter::config
