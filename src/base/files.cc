#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& what, const std::string& path, int error) {
  throw Error(fmt::format("{} {}: {}", what, path, std::strerror(error)));
}

// A file under construction, removed unless it is kept.
class Temporary {
 public:
  explicit Temporary(const std::string& target)
      : path_(fmt::format("{}.{}.tmp", target, ::getpid())), target_(target) {}
  Temporary(Temporary&& other) noexcept
      : path_(std::move(other.path_)),
        target_(std::move(other.target_)),
        pending_(std::exchange(other.pending_, false)) {}
  ~Temporary() {
    if (pending_) ::unlink(path_.c_str());
  }

  void write(const std::string& content) {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) fail("cannot write", target_, errno);
    pending_ = true;
    for (size_t done = 0; done < content.size();) {
      const ssize_t n = ::write(file, content.data() + done, content.size() - done);
      if (n < 0) {
        const int error = errno;
        ::close(file);
        fail("cannot write", target_, error);
      }
      done += static_cast<size_t>(n);
    }
    if (::close(file) != 0) fail("cannot write", target_, errno);
  }

  void keep() {
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail("cannot write", target_, errno);
    pending_ = false;
  }

 private:
  std::string path_, target_;
  bool pending_ = false;
};

}  // namespace

void write_files(const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<Temporary> temporaries;
  for (const auto& [path, content] : files) {
    const fs::path folder = fs::path(path).parent_path();
    std::error_code error;
    if (!folder.empty()) fs::create_directories(folder, error);
    if (error) fail("cannot make the folder", folder.string(), error.value());
    if (fs::is_directory(path, error)) fail("cannot write", path, EISDIR);
    temporaries.emplace_back(path);
    temporaries.back().write(content);
  }
  for (Temporary& temporary : temporaries) temporary.keep();
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
