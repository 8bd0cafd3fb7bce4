// A table with a row for each layer or stage and the figures that such tables show (FigureRow::column).
#pragma once

#include <string>
#include <vector>

#include "cost/figures.h"
#include "report/table.h"

namespace modelmeter {

class FigureTable {
 public:
  enum class Digits { six, all };  // with a unit, or as integers

  // Titles of the columns before the figures, of text, and after them.
  FigureTable(const std::vector<std::string>& before, Digits digits, const std::vector<std::string>& after = {});

  void add(std::vector<std::string> before, const Figures& figures, const std::vector<std::string>& after = {});
  std::string markdown() const { return table_.markdown(); }

 private:
  Digits digits_;
  Table table_;
};

}  // namespace modelmeter
