// A temporary beside the place of a file or a folder: made new under a random name, locked while it lives, removed
// unless it took its place. Not a part of the interface of base: see files.h.
#pragma once

#include <sys/types.h>

#include <string>

namespace modelmeter {

// Error: "<what> <path>: <text of errno>".
[[noreturn]] void fail_with(const std::string& what, const std::string& path, int error);

class Temporary {
 public:
  enum class Kind { file, folder };

  // Removes what killed writers left there, then makes one. Errors name the target.
  Temporary(Kind kind, const std::string& target);
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary();

  const std::string& path() const { return path_; }
  const std::string& target() const { return target_; }
  int descriptor() const { return descriptor_; }  // of the file, to be written; of the folder

  // Takes the target's place; what stood there is gone.
  void rename_file();
  void exchange_folder();

 private:
  bool make(Kind kind);
  void forget();

  std::string path_, target_;
  int descriptor_ = -1;
};

// Writes all of it to an open descriptor. Error naming `target`.
void write_all(int descriptor, const std::string& content, const std::string& target);

}  // namespace modelmeter
