#include "report/table.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

Table example() {
  Table table({"Layer", "TB moved", "Calls"}, {Align::left, Align::right, Align::right});
  table.add({"diffusion/dit/block x 40/attn/self_attn/rope", "224.192", "200"});
  table.add({"diffusion/dit/block x 40/mlp/0", "23.012", "100"});
  return table;
}

TEST(Table, LinesUpItsColumns) {
  Table table({"a", "number"}, {Align::left, Align::right});
  table.add({"long name", "1"});
  EXPECT_EQ(table.markdown(),
            "| a         | number |\n"
            "| --------- | -----: |\n"
            "| long name |      1 |\n");
  EXPECT_EQ(example().markdown(67), example().markdown());  // it fits: 67 columns
  EXPECT_NE(example().markdown(66), example().markdown());
}

TEST(Table, ShortensTextsToFitAndNeverNumbers) {
  EXPECT_EQ(example().markdown(48),
            "| Layer                     | TB moved | Calls |\n"
            "| ------------------------- | -------: | ----: |\n"
            "| …/attn/self_attn/rope     |  224.192 |   200 |\n"  // the end, from a whole name on
            "| …/dit/block x 40/mlp/0    |   23.012 |   100 |\n");
}

TEST(Table, IsSetInPartsWhereShorteningIsNotEnough) {
  EXPECT_EQ(example().markdown(32),
            "| Layer            | TB moved |\n"
            "| ---------------- | -------: |\n"
            "| …/self_attn/rope |  224.192 |\n"
            "| …lock x 40/mlp/0 |   23.012 |\n"
            "\n"
            "| Layer            | Calls |\n"
            "| ---------------- | ----: |\n"
            "| …/self_attn/rope |   200 |\n"
            "| …lock x 40/mlp/0 |   100 |\n");
}

TEST(Fitted, WrapsLinesAndFitsTheTablesOfAText) {
  const std::string text =
      "# a heading is as long as it is, whatever the width\n\n"
      "- model: model_id Wan-AI/Wan2.1-T2V-14B, layers 40\n\n" +
      example().markdown() + "\nno_blanks_in_this_line_that_is_longer_than_it_may\n| no table |\n";
  EXPECT_EQ(fitted(text, 40),
            "# a heading is as long as it is, whatever the width\n\n"
            "- model: model_id Wan-AI/Wan2.1-T2V-14B,\n"
            "  layers 40\n\n" +
                example().markdown(40) + "\nno_blanks_in_this_line_that_is_longer_than_it_may\n| no table |\n");
  EXPECT_EQ(fitted(text, 200), text);
  EXPECT_EQ(fitted("no newline", 100), "no newline");
}

TEST(Fitted, CountsCharactersNotBytes) {
  EXPECT_EQ(shown_width("├─ block"), 8u);
  EXPECT_EQ(cut_to("ä/öü/ß", 4), "…ü/ß");
  EXPECT_EQ(cut_to("äöüß", 3), "äö…");
  EXPECT_EQ(cut_to("äöüß", 4), "äöüß");
}

}  // namespace
}  // namespace modelmeter
