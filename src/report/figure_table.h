// A table with a row for each layer or stage and the figures that such tables show (FigureRow::column). A column is in
// one unit, said in its title; one in which nothing stands is left out.
#pragma once

#include <string>
#include <vector>

#include "cost/figures.h"
#include "report/table.h"

namespace modelmeter {

// The scale of one figure over several: that of the largest.
Scale scale_of(const FigureRow& row, const std::vector<Figures>& all);
// "TB moved", "Weights, GiB".
std::string title_of(const FigureRow& row, const Scale& scale);

class FigureTable {
 public:
  enum class Digits { few, all };  // in the column's unit, or as integers

  // Titles of the columns before the figures, of text, and after them.
  FigureTable(std::vector<std::string> before, Digits digits, std::vector<std::string> after = {})
      : before_(std::move(before)), after_(std::move(after)), digits_(digits) {}

  void add(std::vector<std::string> before, const Figures& figures, std::vector<std::string> after = {}) {
    rows_.push_back({std::move(before), std::move(after)});
    figures_.push_back(figures);
  }
  std::string markdown() const;

 private:
  struct Row {
    std::vector<std::string> before, after;
  };

  std::vector<std::string> before_, after_;
  Digits digits_;
  std::vector<Row> rows_;
  std::vector<Figures> figures_;  // as rows_
};

}  // namespace modelmeter
