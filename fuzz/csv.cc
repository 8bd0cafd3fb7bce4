// A CSV of launches.
#include "verify/csv.h"

#include "fuzz_target.h"
#include "verify/launch_file.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  const CsvTable table("input", text);
  for (const std::string& column : table.columns()) {
    for (size_t row = 0; row < table.rows(); ++row) table.text(row, column);
  }
  read_launch_file(file_of(text, "launches.csv"));
}

}  // namespace modelmeter::fuzz
