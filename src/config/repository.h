// A Repository is where configs are found: the search path (Hydra 1.3.2), from the built-in `hydra` configs over the
// primary directory to those of --config-dir; the first directory that has a file wins. A config group is a directory,
// its options are the .yaml files in it. Thread-safe: nothing changes after construction.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_file.h"
#include "config/file_system.h"

namespace modelmeter::config {

struct SearchPathEntry {
  std::string provider;  // hydra, main, command-line, hydra.searchpath in main, ... in command-line
  std::string path;      // file://DIR, pkg://hydra.conf
  bool available = true;
};

class Repository {
 public:
  // Reads the real file system. Throws Error if a directory is not there.
  explicit Repository(std::string primary_dir, std::vector<std::string> config_dirs = {});
  Repository(std::shared_ptr<const FileSystem> files, std::string primary_dir,
             std::vector<std::string> config_dirs = {});

  // The same with more directories at the end: `hydra.searchpath`. One that is not there has nothing.
  Repository with_search_path(const std::vector<std::string>& directories, const std::string& provider) const;

  // config_path is group/option, with or without .yaml. nullopt if no directory has it; Error if it does not parse.
  std::optional<ConfigFile> load(std::string_view config_path) const;
  // The same, shared: where keep_files() was called each file is read and parsed once, by all copies of this.
  std::shared_ptr<const ConfigFile> load_shared(std::string_view config_path) const;
  // For many compositions of files that do not change meanwhile.
  void keep_files();
  bool has_config(std::string_view config_path) const;
  bool has_group(std::string_view group) const;

  // Sorted, of all directories. "" is the top level. A directory whose name begins with _ is no group of the user's:
  // its configs are reached by their names only.
  std::vector<std::string> options(std::string_view group) const;
  std::vector<std::string> groups(std::string_view group) const;

  const std::vector<SearchPathEntry>& search_path() const { return search_path_; }

 private:
  struct Kept;
  struct Root {
    std::shared_ptr<const FileSystem> files;
    std::string dir;
  };
  void add(size_t position, std::string provider, std::string path, Root root);

  std::shared_ptr<const FileSystem> files_;
  std::vector<SearchPathEntry> search_path_;
  std::vector<Root> roots_;  // one for each entry
  std::shared_ptr<Kept> kept_;
};

}  // namespace modelmeter::config
