// A Markdown table whose columns line up, so that it reads as well in a terminal.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace modelmeter {

enum class Align { left, right };

class Table {
 public:
  Table(std::vector<std::string> header, std::vector<Align> align)
      : align_(std::move(align)), rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string markdown() const;
  // No wider than so many columns: texts are shortened, the longest first; where that is not enough, the table is set
  // in parts that repeat its first column. Numbers are never cut.
  std::string markdown(int width) const;

 private:
  using Widths = std::vector<size_t>;
  Widths natural() const;
  std::string lines(const Widths& widths, const std::vector<size_t>& columns) const;

  std::vector<Align> align_;
  std::vector<std::vector<std::string>> rows_;
};

// Columns that a text takes on a terminal: its characters.
size_t shown_width(std::string_view text);
// No wider than that; of a path its end stays, of any other text its beginning.
std::string cut_to(const std::string& text, size_t width);

// A text with Markdown tables, its tables and lines no wider than so many columns. Headings stay as they are.
std::string fitted(const std::string& text, int width);

}  // namespace modelmeter
