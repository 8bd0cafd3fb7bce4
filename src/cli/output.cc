#include "cli/output.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace modelmeter::cli {
namespace {

struct Log {
  std::FILE* file = nullptr;
  std::string name;
};

Log& job_log() {
  static Log log;
  return log;
}

// [2026-11-26 12:01:25,956][modelmeter][INFO] - text
void write_log(const Log& log, std::string_view line) {
  const char* level = line.substr(0, 5) == "error" ? "ERROR" : line.substr(0, 7) == "warning" ? "WARNING" : "INFO";
  const std::string text = fmt::format("{}[{}][{}] - {}\n", log_stamp(), log.name, level, line);
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), log.file));
  static_cast<void>(std::fflush(log.file));
}

[[noreturn]] void cannot_print() { throw Error(fmt::format("cannot write to stdout: {}", std::strerror(errno))); }

}  // namespace

std::string log_stamp() {
  const auto now = std::chrono::system_clock::now();
  const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("[{:%Y-%m-%d %H:%M:%S},{:03}]", fmt::localtime(std::chrono::system_clock::to_time_t(now)), part);
}

void claim_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) == -1 && errno == EBADF) {
      // The lowest number that is free, which is this one. Only to be read: printing fails, as on a closed one.
      static_cast<void>(::open("/dev/null", O_RDONLY));
    }
  }
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) cannot_print();
}

void flush() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) cannot_print();
}

void print_error(std::string_view line) {
  static_cast<void>(std::fflush(stdout));
  static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
  static_cast<void>(std::fputc('\n', stderr));
  if (job_log().file != nullptr) write_log(job_log(), line);
}

void open_log(const std::string& path, const std::string& name) {
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) throw Error(fmt::format("cannot write the log {}: {}", path, std::strerror(errno)));
  if (job_log().file != nullptr) std::fclose(job_log().file);
  job_log() = {file, name};
}

}  // namespace modelmeter::cli
