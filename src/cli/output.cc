#include "cli/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace modelmeter::cli {
namespace {

[[noreturn]] void cannot_print() { throw Error(fmt::format("cannot write to stdout: {}", std::strerror(errno))); }

}  // namespace

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
}

}  // namespace modelmeter::cli
