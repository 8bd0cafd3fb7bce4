#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace modelmeter {
namespace {

// A line of a message, and of a user's text, longer than these characters is cut.
constexpr size_t most_of_a_message = 2000, most_of_a_line = 200;

// The lines of a message, each cut to what can be read.
std::string lines(std::string_view message) {
  std::string out;
  for (size_t begin = 0; begin <= message.size();) {
    const size_t end = std::min(message.find('\n', begin), message.size());
    out += (begin == 0 ? "" : "\n") + shortened(message.substr(begin, end - begin), most_of_a_message);
    begin = end + 1;
  }
  return out;
}

std::string render(const std::string& message, const SourceSpan& span, const std::vector<std::string>& notes) {
  std::string out = "error: " + lines(message);
  if (span.known()) {
    out += "\n  " + shortened(span.file, most_of_a_message);
    if (span.line > 0) out += fmt::format(":{}", span.line);
    if (span.line > 0 && span.column > 0) out += fmt::format(":{}", span.column);
    if (!span.text.empty()) {
      const Excerpt shown = excerpt(span.text, span.column, most_of_a_line);
      out += "\n  " + shown.text;
      if (span.column > 0) out += "\n  " + std::string(static_cast<size_t>(shown.column - 1), ' ') + "^";
    }
  }
  for (const std::string& note : notes) out += "\nnote: " + lines(note);
  return out;
}

}  // namespace

Error::Error(ErrorCode code, std::string message, SourceSpan span, std::vector<std::string> notes)
    : code_(code),
      message_(std::move(message)),
      span_(std::move(span)),
      notes_(std::move(notes)),
      rendered_(render(message_, span_, notes_)) {}

Error Error::with_note(std::string note) const {
  std::vector<std::string> notes = notes_;
  notes.push_back(std::move(note));
  return Error(code_, message_, span_, std::move(notes));
}

Error Error::at(SourceSpan span) const {
  return span_.known() ? *this : Error(code_, message_, std::move(span), notes_);
}

int Error::exit_code() const {
  switch (code_) {
    case ErrorCode::invalid: return 1;
    case ErrorCode::usage: return 2;
    case ErrorCode::infeasible: return 3;
    case ErrorCode::internal: return 70;
  }
  return 70;
}

}  // namespace modelmeter
