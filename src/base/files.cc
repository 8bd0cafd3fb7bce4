#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/temporary.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

// An open descriptor, closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  int close() {
    const int out = ::close(number_);
    number_ = -1;
    return out;
  }

 private:
  int number_;
};

void make_folder(const fs::path& folder) {
  std::error_code error;
  if (!folder.empty()) fs::create_directories(folder, error);
  if (error) fail_with("cannot make the folder", folder.string(), error.value());
}

// What stands in the place of a file must be one.
void require_replaceable(const std::string& path) {
  struct stat there = {};
  if (::lstat(path.c_str(), &there) != 0 || S_ISREG(there.st_mode)) return;
  if (S_ISDIR(there.st_mode)) fail_with("cannot write", path, EISDIR);
  throw Error(fmt::format("cannot write {}: {} stands in its place", path,
                          S_ISLNK(there.st_mode) ? "a link" : "something that is no regular file"));
}

std::unique_ptr<Temporary> written(const std::string& target, const std::string& content) {
  auto out = std::make_unique<Temporary>(Temporary::Kind::file, target);
  struct stat there = {};
  if (::lstat(target.c_str(), &there) == 0 && ::fchmod(out->descriptor(), there.st_mode & 0777) != 0) {
    fail_with("cannot write", target, errno);
  }
  write_all(out->descriptor(), content, target);
  return out;
}

// --- one file that a user named ---

// The descriptor that /dev/fd/3, /proc/self/fd/3 and their kin stand for.
std::optional<int> descriptor_named(const std::string& path) {
  for (const std::string start : {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"}) {
    if (path.compare(0, start.size(), start) != 0) continue;
    int out = -1;
    const char* end = path.data() + path.size();
    const auto [at, error] = std::from_chars(path.data() + start.size(), end, out);
    if (error == std::errc() && at == end) return out;
  }
  return std::nullopt;
}

// Follows links to what they name, which need not be there; a descriptor's name is where that ends.
std::string behind_links(std::string path) {
  constexpr int most_links = 40;
  for (int i = 0; i < most_links; ++i) {
    std::error_code error;
    if (descriptor_named(path) || !fs::is_symlink(fs::symlink_status(path, error))) return path;
    const fs::path named = fs::read_symlink(path, error);
    if (error) fail_with("cannot write", path, error.value());
    path = named.is_absolute() ? named.string() : (fs::path(path).parent_path() / named).string();
  }
  fail_with("cannot write", path, ELOOP);
}

// A FIFO without a reader would be waited for without end.
int open_stream(const std::string& path, bool fifo) {
  constexpr int tries = 40;
  constexpr std::chrono::milliseconds wait(50);
  for (int i = 0;; ++i) {
    const int out = ::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC | (fifo ? O_NONBLOCK : 0));
    if (out >= 0) return out;
    if (!fifo || errno != ENXIO) fail_with("cannot write", path, errno);
    if (i == tries) throw Error(fmt::format("cannot write {}: nobody reads this FIFO", path));
    std::this_thread::sleep_for(wait);
  }
}

void stream(const std::string& path, const std::string& content, bool fifo) {
  Descriptor out(open_stream(path, fifo));
  if (fifo && ::fcntl(out.number(), F_SETFL, 0) != 0) fail_with("cannot write", path, errno);
  write_all(out.number(), content, path);
  if (out.close() != 0) fail_with("cannot write", path, errno);
}

// --- folders ---

// Makes the new folder of a run: its files, and what else the old one holds.
class NewFolder {
 public:
  NewFolder(const std::string& target, const std::vector<FileContent>& files, const std::vector<std::string>& dropped)
      : folder_(Temporary::Kind::folder, target), dropped_(dropped.begin(), dropped.end()) {
    for (const auto& [name, content] : files) names_.insert(name);
    struct stat there = {};
    const bool replaces = ::stat(target.c_str(), &there) == 0;
    if (replaces && ::fchmod(folder_.descriptor(), there.st_mode & 07777) != 0) {
      fail_with("cannot make the folder", target, errno);
    }
    for (const auto& [name, content] : files) create(name, content);
    if (replaces) take_over("");
    folder_.exchange_folder();
  }

 private:
  void create(const std::string& name, const std::string& content) const {
    const std::string path = folder_.path() + "/" + name, shown = folder_.target() + "/" + name;
    make_folder(fs::path(path).parent_path());
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (file.number() < 0) fail_with("cannot write", shown, errno);
    write_all(file.number(), content, shown);
    if (file.close() != 0) fail_with("cannot write", shown, errno);
  }

  // Links what the old folder holds below `inside` ("" or "layers/") into the new one.
  void take_over(const std::string& inside) const {
    std::error_code error;
    const std::string old = folder_.target() + "/" + inside;
    for (const auto& entry : fs::directory_iterator(old, error)) {
      const std::string name = inside + entry.path().filename().string();
      if (names_.count(name) != 0 || dropped_.count(name) != 0) continue;
      const std::string to = folder_.path() + "/" + name;
      if (entry.is_directory() && !entry.is_symlink()) {
        make_folder(to);
        take_over(name + "/");
      } else if (::link(entry.path().c_str(), to.c_str()) != 0) {
        fail_with("cannot keep", entry.path().string(), errno);
      }
    }
    if (error) fail_with("cannot make the folder", old, error.value());
  }

  Temporary folder_;
  std::set<std::string> names_, dropped_;
};

// Whether the file is there as it would be written.
bool holds(const std::string& path, const std::string& content) {
  const Descriptor opened(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (opened.number() < 0) return false;
  std::string found(content.size() + 1, '\0');
  size_t size = 0;
  for (ssize_t n = 1; n > 0 && size < found.size(); size += n > 0 ? static_cast<size_t>(n) : 0) {
    n = ::read(opened.number(), found.data() + size, found.size() - size);
  }
  return size == content.size() && found.compare(0, size, content) == 0;
}

// Whether nothing of `dropped` is there but the files.
bool is_clean(const std::string& folder, const std::vector<FileContent>& files,
              const std::vector<std::string>& dropped) {
  std::set<std::string> paths;
  for (const auto& [name, content] : files) paths.insert(fmt::format("{}/{}", folder, name));
  std::error_code ignored;
  for (const std::string& name : dropped) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (!fs::is_directory(path, ignored)) {
      if (paths.count(path) == 0 && fs::exists(path, ignored)) return false;
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path, ignored)) {
      if (!entry.is_directory(ignored) && paths.count(entry.path().string()) == 0) return false;
    }
  }
  return true;
}

bool is_there(const std::string& folder, const std::vector<FileContent>& files,
              const std::vector<std::string>& dropped) {
  return std::all_of(files.begin(), files.end(),
                     [&](const FileContent& file) { return holds(folder + "/" + file.first, file.second); }) &&
         is_clean(folder, files, dropped);
}

}  // namespace

void write_file(const std::string& path, const std::string& content) {
  if (path == "-") return write_all(STDOUT_FILENO, content, "stdout");
  const std::string real = behind_links(path);
  if (const std::optional<int> descriptor = descriptor_named(real)) return write_all(*descriptor, content, path);
  struct stat there = {};
  if (::stat(real.c_str(), &there) == 0) {
    if (S_ISFIFO(there.st_mode) || S_ISCHR(there.st_mode)) return stream(real, content, S_ISFIFO(there.st_mode));
    require_replaceable(real);
  }
  make_folder(fs::path(real).parent_path());
  written(real, content)->rename_file();
}

void write_files(const std::vector<FileContent>& files) {
  std::vector<std::unique_ptr<Temporary>> pending;
  for (const auto& [path, content] : files) {
    make_folder(fs::path(path).parent_path());
    require_replaceable(path);
    pending.push_back(written(path, content));
  }
  for (const auto& item : pending) item->rename_file();
}

void write_folder(const std::string& folder, const std::vector<FileContent>& files,
                  const std::vector<std::string>& dropped) {
  std::error_code ignored;
  make_folder(fs::path(folder).parent_path());
  const std::string target = fs::is_directory(folder, ignored) ? fs::canonical(folder, ignored).string() : folder;
  if (fs::exists(target, ignored) && !fs::is_directory(target, ignored)) {
    fail_with("cannot make the folder", folder, ENOTDIR);
  }
  for (const auto& [name, content] : files) require_replaceable(fmt::format("{}/{}", folder, name));
  if (is_there(folder, files, dropped)) return;
  const NewFolder made(target, files, dropped);
}

std::string read_file(const std::string& path, int64_t max_bytes) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw Error(fmt::format("{} is a folder, not a file", path));
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
  if (file.number() < 0) fail_with("cannot read", path, errno);
  constexpr size_t piece = size_t{1} << 16;
  struct stat there = {};
  std::string content;
  if (::fstat(file.number(), &there) == 0 && there.st_size > 0 && there.st_size <= max_bytes) {
    content.reserve(static_cast<size_t>(there.st_size) + piece);
  }
  for (;;) {
    const size_t size = content.size();
    content.resize(size + piece);
    const ssize_t n = ::read(file.number(), content.data() + size, piece);
    if (n < 0 && errno != EINTR) fail_with("cannot read", path, errno);
    content.resize(size + (n > 0 ? static_cast<size_t>(n) : 0));
    if (static_cast<int64_t>(content.size()) > max_bytes || there.st_size > max_bytes) {
      throw Error(fmt::format("{} is too large: at most {} MiB are read", path, max_bytes >> 20));
    }
    if (n == 0) return content;
  }
}

}  // namespace modelmeter
