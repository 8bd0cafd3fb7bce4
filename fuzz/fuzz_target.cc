#include "fuzz_target.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace modelmeter::fuzz {
namespace {

namespace fs = std::filesystem;

// Removed with all that is in it when the process ends.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / fmt::format("modelmeter-fuzz-{}", ::getpid())) {
    fs::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

[[noreturn]] void fail(std::string_view message) {
  fmt::print(stderr, "fuzz: {}\n", message);
  std::abort();
}

}  // namespace

void require(bool holds, std::string_view message) {
  if (!holds) fail(message);
}

std::string file_of(const std::string& text, const std::string& name) {
  static const Folder folder;
  const fs::path path = folder.path() / name;
  std::ofstream(path, std::ios::binary) << text;
  return path.string();
}

void run_guarded(const uint8_t* data, size_t size) {
  try {
    run({reinterpret_cast<const char*>(data), size});
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) fail(error.what());
  } catch (const std::exception& exception) {
    fail(exception.what());
  }
}

}  // namespace modelmeter::fuzz
