#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "base/error.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

using File = std::pair<std::string, std::string>;  // path, content

[[noreturn]] void fail(const std::string& what, const std::string& path, int error) {
  throw Error(fmt::format("{} {}: {}", what, path, std::strerror(error)));
}

// From so many files on a folder is written as a whole.
constexpr size_t many_files = 8;

std::string temporary_path(const std::string& target) { return fmt::format("{}.{}.tmp", target, ::getpid()); }

void create(const std::string& path, const std::string& target, const std::string& content) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) fail("cannot write", target, errno);
  for (size_t done = 0; done < content.size();) {
    const ssize_t n = ::write(file, content.data() + done, content.size() - done);
    if (n < 0) {
      const int error = errno;
      ::close(file);
      fail("cannot write", target, error);
    }
    done += static_cast<size_t>(n);
  }
  if (::close(file) != 0) fail("cannot write", target, errno);
}

void move(const std::string& from, const std::string& target) {
  if (::rename(from.c_str(), target.c_str()) != 0) fail("cannot write", target, errno);
}

// What takes its place when everything is on disk. Until then, and unless it does, it leaves nothing behind.
class Pending {
 public:
  Pending() = default;
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  virtual ~Pending() = default;
  virtual void keep() = 0;
};

class PendingFile : public Pending {
 public:
  PendingFile(const std::string& target, const std::string& content) : path_(temporary_path(target)), target_(target) {
    try {
      create(path_, target_, content);
    } catch (const Error&) {
      ::unlink(path_.c_str());
      throw;
    }
  }
  ~PendingFile() override {
    if (pending_) ::unlink(path_.c_str());
  }

  void keep() override {
    move(path_, target_);
    pending_ = false;
  }

 private:
  std::string path_, target_;
  bool pending_ = true;
};

// A folder of files, made beside its place. What else is in the folder that it replaces stays: it is linked into it.
class PendingFolder : public Pending {
 public:
  PendingFolder(const std::string& target, const std::vector<const File*>& files)
      : path_(temporary_path(target)), target_(target), files_(files) {
    remove();  // of an earlier process of this number
    try {
      if (::mkdir(path_.c_str(), 0777) != 0) fail("cannot make the folder", target_, errno);
      for (const File* file : files_) create(here(*file), file->first, file->second);
      take_over();
    } catch (const Error&) {
      remove();
      throw;
    }
  }
  ~PendingFolder() override { remove(); }

  void keep() override {
    if (whole_ && ::rename(path_.c_str(), target_.c_str()) == 0) return;
    if (exchanged()) return;
    for (const File* file : files_) move(here(*file), file->first);
  }

 private:
  std::string here(const File& file) const { return path_ + "/" + fs::path(file.first).filename().string(); }

  void remove() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  // Links what the folder in its place holds beside the files; where that cannot be done, they are moved into it one by
  // one.
  void take_over() {
    struct stat status;
    whole_ = ::lstat(target_.c_str(), &status) != 0;
    if (whole_) return;
    exchange_ = S_ISDIR(status.st_mode) && ::chmod(path_.c_str(), status.st_mode & 07777) == 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(target_, error)) {
      const std::string to = path_ + "/" + entry.path().filename().string();
      if (::link(entry.path().c_str(), to.c_str()) != 0 && errno != EEXIST) exchange_ = false;
    }
    if (error) fail("cannot make the folder", target_, error.value());
  }

  // The old folder takes the temporary's place, and goes with it.
  bool exchanged() const {
#ifdef RENAME_EXCHANGE
    return exchange_ && ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0;
#else
    return false;
#endif
  }

  std::string path_, target_;
  std::vector<const File*> files_;
  bool whole_ = true;      // nothing is in its place
  bool exchange_ = false;  // all that is there is in the new one
};

// Whether the file is there as it would be written.
bool holds(const File& file) {
  const auto& [path, content] = file;
  const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) return false;
  std::string found(content.size() + 1, '\0');
  size_t size = 0;
  for (ssize_t n = 1; n > 0 && size < found.size(); size += n > 0 ? static_cast<size_t>(n) : 0) {
    n = ::read(opened, found.data() + size, found.size() - size);
  }
  ::close(opened);
  return size == content.size() && found.compare(0, size, content) == 0;
}

// A file in whose place there is a folder is not written.
void refuse_folders(const std::string& folder, const std::vector<const File*>& files) {
  std::error_code ignored;
  if (!folder.empty() && !fs::exists(folder, ignored)) return;
  for (const File* file : files) {
    if (fs::is_directory(file->first, ignored)) fail("cannot write", file->first, EISDIR);
  }
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  if (!folder.empty()) fs::create_directories(folder, error);
  if (error) fail("cannot make the folder", folder.string(), error.value());
}

}  // namespace

void write_files(const std::vector<File>& files) {
  std::map<std::string, std::vector<const File*>> folders;
  for (const File& file : files) folders[fs::path(file.first).parent_path().string()].push_back(&file);
  std::vector<std::unique_ptr<Pending>> pending;
  for (const auto& [folder, inside] : folders) {
    const bool whole = inside.size() >= many_files && !folder.empty();
    make_folder(whole ? fs::path(folder).parent_path() : fs::path(folder));
    refuse_folders(folder, inside);
    if (whole) {
      if (std::all_of(inside.begin(), inside.end(), [](const File* file) { return holds(*file); })) continue;
      pending.push_back(std::make_unique<PendingFolder>(folder, inside));
    } else {
      for (const File* file : inside) pending.push_back(std::make_unique<PendingFile>(file->first, file->second));
    }
  }
  for (const auto& item : pending) item->keep();
}

std::string read_file(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw Error(fmt::format("{} is a folder, not a file", path));
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("cannot read", path, errno);
  std::stringstream content;
  content << in.rdbuf();
  if (in.bad()) fail("cannot read", path, errno);
  return std::move(content).str();
}

}  // namespace modelmeter
