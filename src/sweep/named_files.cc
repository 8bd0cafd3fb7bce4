#include "sweep/named_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

// "(file) config.json 0f…": other names, other hashes.
JobHash named(const std::string& name, JobHash content) {
  return hash_of_line(
      fmt::format("{} {:016x}{:016x}", name, static_cast<uint64_t>(content >> 64U), static_cast<uint64_t>(content)));
}

// A file that cannot be read is as one that is not there: the job says so.
JobHash hash_of_file(const fs::path& path) {
  std::error_code error;
  const auto size = static_cast<int64_t>(fs::file_size(path, error));
  if (error) return 0;
  const bool whole = size <= NamedFiles::whole_bytes;
  std::string text(static_cast<size_t>(whole ? size : NamedFiles::begin_bytes), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (!whole) text += fmt::format("\n{} {}", size, fs::last_write_time(path, error).time_since_epoch().count());
  return hash_of_line(text);
}

bool is_of_checkpoint(const fs::path& path) {
  return path.extension() == ".json" || path.extension() == ".safetensors";
}

// The order does not matter.
JobHash hash_of_folder(const fs::path& folder, const std::string& name, int levels) {
  JobHash out = hash_of_line(name);
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string inner = fmt::format("{}/{}", name, at->path().filename().string());
    std::error_code ignored;
    if (at->is_directory(ignored)) {
      if (levels > 0) out += hash_of_folder(at->path(), inner, levels - 1);
    } else if (is_of_checkpoint(at->path())) {
      out += named(inner, hash_of_file(at->path()));
    }
  }
  return out;
}

JobHash hash_of_named(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return hash_of_folder(path, "", 1);
  JobHash out = hash_of_file(path);
  const fs::path folder = path.parent_path();
  if (path.filename() == "model_index.json") return out + hash_of_folder(folder, "", 1);
  if (path.extension() == ".safetensors" || path.string().ends_with(".index.json")) {
    out += named("config.json", hash_of_file(folder / "config.json"));
  }
  return out;
}

}  // namespace

std::optional<JobHash> NamedFiles::hash_of(const std::string& path) {
  if (path.empty() || path.find_first_of("./") == std::string::npos) return std::nullopt;
  std::error_code ignored;
  fs::path at = fs::absolute(path, ignored);
  if (!fs::exists(at, ignored)) {
    at = fs::path(files_.root) / path;
    if (files_.root.empty() || fs::path(path).is_absolute() || !fs::exists(at, ignored)) return std::nullopt;
  }
  const std::string name = at.lexically_normal().string();
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(name);
  return known != known_.end() ? known->second : known_.emplace(name, hash_of_named(at)).first->second;
}

void NamedFiles::add_lines(const config::Node& resolved, std::vector<CanonicalLine>& out) {
  add_lines(resolved, "", out);
}

void NamedFiles::add_lines(const config::Node& node, const std::string& key, std::vector<CanonicalLine>& out) {
  if (node.is(config::Kind::map)) {
    for (const config::Entry& entry : node.entries()) {
      if (key.empty() && entry.key.text == "report") continue;
      add_lines(entry.value, key.empty() ? entry.key.text : fmt::format("{}.{}", key, entry.key.text), out);
    }
  } else if (node.is(config::Kind::list)) {
    for (size_t i = 0; i < node.items().size(); ++i) add_lines(node.items()[i], fmt::format("{}.{}", key, i), out);
  } else if (node.is(config::Kind::string)) {
    const std::optional<JobHash> hash = hash_of(node.as_string());
    if (!hash) return;
    const std::string name = "(file) " + key;
    out.push_back({name, name + ": " + hex_of(*hash)});
  }
}

}  // namespace modelmeter
