#include "base/error.h"

#include <fmt/format.h>

namespace modelmeter {
namespace {

std::string render(const std::string& message, const SourceSpan& span, const std::vector<std::string>& notes) {
  std::string out = "error: " + message;
  if (span.known()) {
    out += "\n  " + span.file;
    if (span.line > 0) out += fmt::format(":{}", span.line);
    if (span.line > 0 && span.column > 0) out += fmt::format(":{}", span.column);
    if (!span.text.empty()) {
      out += "\n  " + span.text;
      if (span.column > 0) out += "\n  " + std::string(static_cast<size_t>(span.column - 1), ' ') + "^";
    }
  }
  for (const std::string& note : notes) out += "\nnote: " + note;
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
