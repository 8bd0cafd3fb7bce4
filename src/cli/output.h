// What commands print: results to stdout, where a failure is an Error, and notes to stderr, where it is not.
#pragma once

#include <string>
#include <string_view>

namespace modelmeter::cli {

// Opens descriptors 0 to 2 where the caller closed them, so that no file that is written gets one of their numbers.
// What is printed there fails as it should.
void claim_standard_descriptors();

// Error: "cannot write to stdout: …".
void print(std::string_view text);
// What print() was given is written when this returns. The same Error.
void flush();

// A line to stderr, after all that was printed, and into the log where there is one.
void print_error(std::string_view line);

// "[2026-11-26 12:01:25,956]", now: how lines of Python's logging begin with Hydra's format.
std::string log_stamp();

// A job's log: what print_error() says goes into this file too, as Python's logging writes it with Hydra's format.
// Error where it cannot be written.
void open_log(const std::string& path, const std::string& name);

}  // namespace modelmeter::cli
