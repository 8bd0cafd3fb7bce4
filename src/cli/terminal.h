// How wide the text may be that commands print.
#pragma once

#include <string>

namespace modelmeter::cli {

// COLUMNS where it is a number, else the width of the terminal that stdout is; else 0: what goes to a file or a pipe is
// the same everywhere, tables as wide as they are.
int output_width();

// print() with tables and lines that fit.
void print_fitted(const std::string& text);

}  // namespace modelmeter::cli
