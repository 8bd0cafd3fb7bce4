#include "base/temporary.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view ending = ".tmp";
constexpr size_t random_digits = 16;
constexpr int most_tries = 100;

std::string parent_of(const std::string& target) {
  const std::string parent = fs::path(target).parent_path().string();
  return parent.empty() ? "." : parent;
}

// ".NAME." of the temporaries of a target; a name has at most 255 bytes.
std::string beginning(const std::string& target) {
  constexpr size_t most = 200;
  return fmt::format(".{}.", fs::path(target).filename().string().substr(0, most));
}

std::string random_name(const std::string& target) {
  uint64_t number = 0;
  if (::getrandom(&number, sizeof(number), 0) != static_cast<ssize_t>(sizeof(number))) {
    number = static_cast<uint64_t>(::getpid()) ^ reinterpret_cast<uintptr_t>(&number);
  }
  return fmt::format("{}/{}{:016x}{}", parent_of(target), beginning(target), number, ending);
}

bool is_temporary_of(const std::string& name, const std::string& start) {
  return name.size() == start.size() + random_digits + ending.size() && name.compare(0, start.size(), start) == 0 &&
         name.compare(name.size() - ending.size(), ending.size(), ending) == 0 &&
         name.find_first_not_of("0123456789abcdef", start.size()) == name.size() - ending.size();
}

// Removes temporaries that nobody holds a lock on. One that is being made is not yet locked: its maker sees that it is
// gone and makes another.
void remove_stale(const std::string& target) {
  std::error_code ignored;
  const std::string start = beginning(target);
  for (const auto& entry : fs::directory_iterator(parent_of(target), ignored)) {
    if (!is_temporary_of(entry.path().filename().string(), start)) continue;
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) continue;
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), ignored);
    ::close(file);
  }
}

bool is_at(int descriptor, const std::string& path) {
  struct stat open = {}, there = {};
  return ::fstat(descriptor, &open) == 0 && ::lstat(path.c_str(), &there) == 0 && open.st_ino == there.st_ino &&
         open.st_dev == there.st_dev;
}

}  // namespace

void fail_with(const std::string& what, const std::string& path, int error) {
  throw Error(fmt::format("{} {}: {}", what, path, std::strerror(error)));
}

void write_all(int descriptor, const std::string& content, const std::string& target) {
  for (size_t done = 0; done < content.size();) {
    const ssize_t n = ::write(descriptor, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_with("cannot write", target, errno);
    done += static_cast<size_t>(n);
  }
}

Temporary::Temporary(Kind kind, const std::string& target) : target_(target) {
  remove_stale(target_);
  for (int i = 0; i < most_tries; ++i) {
    if (make(kind)) return;
  }
  fail_with(kind == Kind::file ? "cannot write" : "cannot make the folder", target_, EEXIST);
}

Temporary::~Temporary() { forget(); }

// False where another name has to be tried.
bool Temporary::make(Kind kind) {
  std::string path = random_name(target_);
  if (kind == Kind::folder) {
    if (::mkdir(path.c_str(), 0777) != 0) {
      if (errno == EEXIST) return false;
      fail_with("cannot make the folder", target_, errno);
    }
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  } else {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno == EEXIST) return false;
    if (descriptor_ < 0) fail_with("cannot write", target_, errno);
  }
  if (descriptor_ < 0) return false;  // removed as stale before it was opened
  path_ = std::move(path);
  const bool taken = ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (!taken && is_at(descriptor_, path_)) return true;
  forget();
  return false;
}

void Temporary::forget() {
  if (!path_.empty()) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  if (descriptor_ >= 0) ::close(descriptor_);
  path_.clear();
  descriptor_ = -1;
}

void Temporary::rename_file() {
  // What a file system reports only at the end; the lock stays with the other descriptor.
  if (::close(::dup(descriptor_)) != 0) fail_with("cannot write", target_, errno);
  if (::rename(path_.c_str(), target_.c_str()) != 0) fail_with("cannot write", target_, errno);
  path_.clear();
}

// Where nothing is there a rename does; else both change places, and the old folder goes with the temporary. A file
// system that cannot exchange has no folder there for a moment.
void Temporary::exchange_folder() {
  for (int i = 0; i < most_tries; ++i) {
    if (::rename(path_.c_str(), target_.c_str()) == 0) {
      path_.clear();
      return;
    }
    if (errno != ENOTEMPTY && errno != EEXIST) fail_with("cannot write", target_, errno);
#ifdef RENAME_EXCHANGE
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) return;
    if (errno == ENOENT) continue;  // gone in between
#endif
    const std::string old = random_name(target_);
    if (::rename(target_.c_str(), old.c_str()) != 0 && errno != ENOENT) fail_with("cannot write", target_, errno);
    std::error_code ignored;
    if (::rename(path_.c_str(), target_.c_str()) == 0) path_.clear();
    fs::remove_all(old, ignored);
    if (path_.empty()) return;
  }
  fail_with("cannot write", target_, ENOTEMPTY);
}

}  // namespace modelmeter
