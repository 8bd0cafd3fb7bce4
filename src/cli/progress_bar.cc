#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "base/format.h"

namespace modelmeter::cli {

ProgressBar::ProgressBar(bool wanted)
    : began_(std::chrono::steady_clock::now()), shown_(wanted && ::isatty(STDERR_FILENO) == 1) {}

double ProgressBar::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

std::string progress_line(const SweepProgress& progress, double seconds) {
  constexpr int width = 24;
  const int64_t all = progress.before + progress.done, left = std::max<int64_t>(0, progress.jobs - all);
  const double share = progress.jobs > 0 ? static_cast<double>(all) / static_cast<double>(progress.jobs) : 1;
  const auto filled = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * width);
  const double rate = seconds > 0 ? static_cast<double>(progress.done) / seconds : 0;
  std::string out = fmt::format("[{}{}] {}/{}  {}/s", std::string(filled, '#'), std::string(width - filled, '-'),
                                grouped(all), grouped(progress.jobs), grouped(static_cast<int64_t>(rate)));
  if (rate > 0) {
    const auto wait = static_cast<int64_t>(std::ceil(static_cast<double>(left) / rate));
    out += fmt::format("  {}:{:02} left", wait / 60, wait % 60);
  }
  if (progress.failed > 0) out += fmt::format("  {} failed", grouped(progress.failed));
  return out;
}

void ProgressBar::show(const SweepProgress& progress) {
  if (!shown_) return;
  const std::string line = "\r" + progress_line(progress, seconds()) + "\x1b[K";
  static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
  static_cast<void>(std::fflush(stderr));
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  static_cast<void>(std::fputs("\r\x1b[K", stderr));
  drawn_ = false;
}

}  // namespace modelmeter::cli
