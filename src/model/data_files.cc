#include "model/data_files.h"

#include <fmt/format.h>

#include <filesystem>

#include "config/file_system.h"
#include "config/yaml.h"

namespace modelmeter {

namespace fs = std::filesystem;

std::string DataFiles::find(const config::View& view) const {
  const std::string given = view.as<std::string>();
  if (given.empty()) throw view.expected("the path of a file");
  const fs::path path(given);
  std::error_code ignored;
  const fs::path here = fs::absolute(path, ignored);
  if (fs::exists(here, ignored)) return here.lexically_normal().string();
  std::vector<std::string> notes = {fmt::format("looked for {}", here.string())};
  if (path.is_relative() && !root.empty()) {
    const fs::path beside = fs::path(root) / path;
    if (fs::exists(beside, ignored)) return beside.lexically_normal().string();
    notes.push_back(fmt::format("looked for {}", beside.string()));
  }
  throw view.error(fmt::format("there is no file '{}'", given), std::move(notes));
}

config::Node read_data_file(const std::string& path) {
  std::optional<std::string> text = config::DiskFileSystem().read(path);
  if (!text) throw Error(fmt::format("{}: no such file", path));
  if (text->find_first_not_of(" \t\r\n") == std::string::npos) throw Error(fmt::format("{}: the file is empty", path));
  return config::parse_data(std::move(*text), path);
}

}  // namespace modelmeter
