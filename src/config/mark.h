// A Mark is a place in a source text: what a Node remembers to show the user the line that set it. Marks of one text
// share it, so that they are small; span() makes the SourceSpan that an Error carries.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"

namespace modelmeter::config {

// A text that a user wrote: a file, or one override ("<command line>").
struct Source {
  std::string file;
  std::string text;
};

struct Mark {
  std::shared_ptr<const Source> source;
  int line = 0;    // from 1; 0 is unknown
  int column = 0;  // from 1, in characters

  SourceSpan span() const;
};

// The mark of a byte of an override, which is one line.
Mark command_line_mark(const std::shared_ptr<const Source>& source, size_t offset);

}  // namespace modelmeter::config
