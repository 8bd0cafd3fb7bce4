#include "config/file_system.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/files.h"

namespace modelmeter::config {
namespace fs = std::filesystem;

std::optional<std::string> DiskFileSystem::read(const std::string& path) const {
  if (!is_file(path)) return std::nullopt;
  return read_file(path);
}

bool DiskFileSystem::is_file(const std::string& path) const {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool DiskFileSystem::is_directory(const std::string& path) const {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::vector<std::string> DiskFileSystem::list(const std::string& path) const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::string> MemoryFileSystem::read(const std::string& path) const {
  const auto found = files_.find(path);
  if (found == files_.end()) return std::nullopt;
  return found->second;
}

bool MemoryFileSystem::is_file(const std::string& path) const { return files_.count(path) > 0; }

bool MemoryFileSystem::is_directory(const std::string& path) const {
  const auto next = files_.lower_bound(path + "/");
  return next != files_.end() && next->first.compare(0, path.size() + 1, path + "/") == 0;
}

std::vector<std::string> MemoryFileSystem::list(const std::string& path) const {
  const std::string prefix = path + "/";
  std::vector<std::string> names;
  for (auto file = files_.lower_bound(prefix); file != files_.end(); ++file) {
    if (file->first.compare(0, prefix.size(), prefix) != 0) break;
    const size_t end = file->first.find('/', prefix.size());
    std::string name = file->first.substr(prefix.size(), end == std::string::npos ? end : end - prefix.size());
    if (names.empty() || names.back() != name) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace modelmeter::config
