// modelmeter::Error is the one exception of the project: it ends a request and is caught only at the borders
// (command line, one job of a sweep). Libraries never print and never exit.
//
// Shown to a user as
//   error: <message>
//     <file>:<line>:<column>
//     <the line of text>
//        ^
//   note: <note>
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace modelmeter {

// Where in a user's text something stands. line and column count from 1; 0 means unknown.
struct SourceSpan {
  std::string file;  // a path, or "<command line>"
  int line = 0;
  int column = 0;
  std::string text;  // the line itself, without its newline; may be empty

  bool known() const { return !file.empty(); }
};

enum class ErrorCode {
  invalid,     // the request is wrong or failed          (exit 1)
  usage,       // the command line makes no sense         (exit 2)
  infeasible,  // the result does not fit                 (exit 3)
  internal,    // a fault of modelmeter itself            (exit 70)
};

class Error : public std::exception {
 public:
  explicit Error(std::string message, SourceSpan span = {}, std::vector<std::string> notes = {})
      : Error(ErrorCode::invalid, std::move(message), std::move(span), std::move(notes)) {}
  Error(ErrorCode code, std::string message, SourceSpan span = {}, std::vector<std::string> notes = {});

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const SourceSpan& span() const { return span_; }
  const std::vector<std::string>& notes() const { return notes_; }

  // The same error with one more note; for a caller that knows more.
  Error with_note(std::string note) const;
  // The same error at a place, unless it has one already.
  Error at(SourceSpan span) const;

  // The text shown above, without a trailing newline.
  const char* what() const noexcept override { return rendered_.c_str(); }
  int exit_code() const;

 private:
  ErrorCode code_;
  std::string message_;
  SourceSpan span_;
  std::vector<std::string> notes_;
  std::string rendered_;
};

}  // namespace modelmeter
