// A table in golden/ with a row for every entry file and variant, compared exactly. MODELMETER_ACCEPT=1 writes it anew.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "entries.h"

namespace modelmeter::entries {

// Rows by entry and overrides, which are the first two columns.
inline std::map<std::string, std::string> rows_of(const std::string& text) {
  std::map<std::string, std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t second = line.find(',', line.find(',') + 1);
    out[line.substr(0, second)] = line.substr(second + 1);
  }
  return out;
}

// The text is that of the file, or its rows that are not are named.
inline void expect_text(const std::string& name, const std::string& text) {
  const std::string file = source + "/tests/golden/" + name;
  const char* accept = std::getenv("MODELMETER_ACCEPT");
  if (accept != nullptr && std::string(accept) == "1") write_files({{file, text}});
  const std::string pinned = read_file(file);
  if (text == pinned) return;
  const std::map<std::string, std::string> ours = rows_of(text), theirs = rows_of(pinned);
  for (const auto& [run, figures] : ours) {
    const auto found = theirs.find(run);
    EXPECT_EQ(figures, found == theirs.end() ? "no row" : found->second) << run;
  }
  for (const auto& [run, figures] : theirs) {
    EXPECT_EQ(ours.count(run), 1u) << run << " is pinned and not run: " << figures;
  }
  FAIL() << file << " differs. If that is right: MODELMETER_ACCEPT=1 ctest -R 'Golden|Pinned|cases'";
}

// `columns` names what `row` gives for a run; a run that is refused has the error as its row.
inline void expect_rows(const std::string& name, const std::string& columns,
                        const std::function<std::string(const std::string&, const Overrides&)>& row) {
  std::string text = fmt::format("entry,overrides,{}\n", columns);
  for (const std::string& entry : all()) {
    for (const Overrides& overrides : variants_of(entry)) {
      std::string figures;
      try {
        figures = row(entry, overrides);
      } catch (const Error& error) {
        figures = fmt::format("refused: {}", error.message());
      }
      text += fmt::format("{},{},{}\n", entry, fmt::join(overrides, " "), figures);
    }
  }
  expect_text(name, text);
}

}  // namespace modelmeter::entries
