// A Markdown table whose columns line up, so that it reads as well in a terminal.
#pragma once

#include <string>
#include <vector>

namespace modelmeter {

enum class Align { left, right };

class Table {
 public:
  Table(std::vector<std::string> header, std::vector<Align> align)
      : align_(std::move(align)), rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string markdown() const;

 private:
  std::vector<Align> align_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace modelmeter
