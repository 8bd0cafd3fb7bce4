// How wide the text may be that commands print.
#pragma once

#include <string>

namespace modelmeter::cli {

// Columns: COLUMNS where it is a number, else the terminal's that stdout is, else 160, so that what goes to a file or
// a pipe is the same everywhere.
int output_width();

// print() with tables and lines that fit.
void print_fitted(const std::string& text);

}  // namespace modelmeter::cli
