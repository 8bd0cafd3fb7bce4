// The little of a file system that composition needs, so that tests run on one in memory.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace modelmeter::config {

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // nullopt if there is no such file; Error if it cannot be read.
  virtual std::optional<std::string> read(const std::string& path) const = 0;
  virtual bool is_file(const std::string& path) const = 0;
  virtual bool is_directory(const std::string& path) const = 0;
  // Names in a directory, sorted; none if there is no such directory.
  virtual std::vector<std::string> list(const std::string& path) const = 0;
};

class DiskFileSystem : public FileSystem {
 public:
  std::optional<std::string> read(const std::string& path) const override;
  bool is_file(const std::string& path) const override;
  bool is_directory(const std::string& path) const override;
  std::vector<std::string> list(const std::string& path) const override;
};

// Files by path ("conf/db/mysql.yaml"); directories are those that files are in.
class MemoryFileSystem : public FileSystem {
 public:
  explicit MemoryFileSystem(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  std::optional<std::string> read(const std::string& path) const override;
  bool is_file(const std::string& path) const override;
  bool is_directory(const std::string& path) const override;
  std::vector<std::string> list(const std::string& path) const override;

 private:
  std::map<std::string, std::string> files_;
};

}  // namespace modelmeter::config
