// Files that a configuration names by their paths (the config.json of a model, a GGUF file, a folder of a checkpoint):
// what is in them is part of what a job is known by, so that a file that was changed is evaluated again.
//
//   "(file) hf.config_path: 0b1c…"   the hash of what is there, for each value that names a file or a folder
//
// Of a file up to `whole_bytes` its content counts, of a longer one its beginning, size and time. Of a folder, and
// beside a model_index.json, those JSON files and safetensors that a checkpoint has: in it and one level below. Each is
// read once, whoever asks. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "model/data_files.h"
#include "sweep/job_key.h"

namespace modelmeter {

class NamedFiles {
 public:
  static constexpr int64_t whole_bytes = int64_t{16} << 20U, begin_bytes = int64_t{1} << 20U;

  explicit NamedFiles(DataFiles files) : files_(std::move(files)) {}

  // Adds a line for each value of a resolved configuration that names one; not of `report`.
  void add_lines(const config::Node& resolved, std::vector<CanonicalLine>& out);
  // Of what the text names: nothing where that is no file.
  std::optional<JobHash> hash_of(const std::string& path);

 private:
  void add_lines(const config::Node& node, const std::string& key, std::vector<CanonicalLine>& out);

  DataFiles files_;
  std::mutex mutex_;
  std::map<std::string, JobHash> known_;  // by absolute path
};

}  // namespace modelmeter
