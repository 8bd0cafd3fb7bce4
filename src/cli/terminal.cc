#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "cli/output.h"
#include "report/table.h"

namespace modelmeter::cli {
namespace {

constexpr int least = 40, most = 10000;  // narrower ones show nothing, and no screen is wider

int within(int columns) { return columns < least ? least : columns > most ? most : columns; }

}  // namespace

int output_width() {
  if (const char* given = std::getenv("COLUMNS"); given != nullptr) {
    const std::string_view text(given);
    int columns = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), columns);
    if (error == std::errc() && end == text.data() + text.size() && columns > 0) return within(columns);
  }
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 1 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return within(size.ws_col);
  }
  return 0;
}

void print_fitted(const std::string& text) { print(fitted(text, output_width())); }

}  // namespace modelmeter::cli
