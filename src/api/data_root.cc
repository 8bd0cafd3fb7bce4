#include "api/data_root.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/error.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

bool is_data_root(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder / "configs", ignored) && fs::is_directory(folder / "models", ignored);
}

std::string whole_path(const fs::path& folder) {
  return (fs::absolute(folder) / "").lexically_normal().parent_path().string();
}

// Of the shared library that this function is in; empty where it is in the program itself.
fs::path library_folder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<const void*>(&is_data_root), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  const fs::path file = fs::canonical(info.dli_fname, error);
  return error || file.filename().string().find(".so") == std::string::npos ? fs::path() : file.parent_path();
}

fs::path program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::vector<fs::path> candidates() {
  std::vector<fs::path> out;
  if (const fs::path library = library_folder(); !library.empty()) {
    out.push_back(library / "data");
    out.push_back(library / ".." / "share" / "modelmeter");
    out.push_back(library / ".." / ".." / "share" / "modelmeter");  // lib/x86_64-linux-gnu
    out.push_back(library / ".." / "..");
    out.push_back(library / ".." / ".." / ".." / "..");  // build/release/python/modelmeter
  }
  const fs::path program = program_folder();
  for (const fs::path& folder :
       {program / ".." / "share" / "modelmeter", program / ".." / "..", program / "..", program}) {
    out.push_back(folder);
  }
  return out;
}

}  // namespace

std::string find_data_root() {
  if (const char* given = std::getenv("MODELMETER_DATA_DIR"); given != nullptr && *given != '\0') {
    if (is_data_root(given)) return whole_path(given);
    throw Error(fmt::format("MODELMETER_DATA_DIR is {}, which has no configs/ and models/", given));
  }
  std::vector<std::string> looked;
  for (const fs::path& candidate : candidates()) {
    if (is_data_root(candidate)) return whole_path(candidate);
    looked.push_back(candidate.lexically_normal().string());
  }
  throw Error("the folder with configs/ and models/ was not found", {},
              {fmt::format("looked in {}", fmt::join(looked, ", ")), "MODELMETER_DATA_DIR can name it"});
}

}  // namespace modelmeter
