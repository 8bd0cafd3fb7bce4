#include "cost/figures.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace modelmeter {
namespace {

// Every figure another number.
Figures numbered(int64_t first) {
  Figures out;
  for (const FigureRow& row : figure_rows) row.set(out, first++);
  return out;
}

TEST(Figures, RowsHaveNamesAndTitlesOfTheirOwn) {
  std::set<std::string> names, titles;
  for (const FigureRow& row : figure_rows) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(titles.insert(row.title).second) << row.title;
    EXPECT_NE(row.known == nullptr, row.maybe == nullptr) << row.name;
    EXPECT_EQ(row.snapshot_field != nullptr, row.snapshot_unit > 0) << row.name;
  }
}

TEST(Figures, RowsSetAndGetAMemberOfTheirOwn) {
  const Figures f = numbered(100);
  int64_t expected = 100;
  for (const FigureRow& row : figure_rows) EXPECT_EQ(row.get(f), Count(expected++)) << row.name;
  EXPECT_EQ(f.flops_torch, 100);
  EXPECT_EQ(f.peak_live_bytes, Count(112));
}

TEST(Figures, EverySumOfACostIsInAFigure) {
  for (const CostSum& sum : cost_sums) {
    Cost cost;
    cost.*sum.member = 7;
    if (sum.member == &Cost::flops_unknown) cost.flops_tensor = 7;  // it is part of these
    EXPECT_FALSE(figures_of(cost) == figures_of(Cost())) << sum.what;
  }
}

TEST(Figures, OfACost) {
  const Figures f = figures_of(Cost{3, 100, 10, 20, 5, 40});
  EXPECT_EQ(f.kernels, 3);
  EXPECT_EQ(f.flops_torch, 60);
  EXPECT_EQ(f.flops_full, 110);
  EXPECT_EQ(f.flops_tensor, 100);
  EXPECT_EQ(f.flops_vector, 10);
  EXPECT_EQ(f.bytes_moved, 25);
  EXPECT_EQ(f.bytes_read, 20);
  EXPECT_EQ(f.bytes_written, 5);
  EXPECT_EQ(f.parameters, 0);
  EXPECT_FALSE(f.peak_live_bytes.has_value());
  EXPECT_DOUBLE_EQ(f.arithmetic_intensity(), 110.0 / 25);
  EXPECT_DOUBLE_EQ(Figures().arithmetic_intensity(), 0.0);
}

TEST(Figures, AddSumsOrTakesTheHighest) {
  Figures whole = numbered(100);
  add(whole, numbered(1));
  for (const FigureRow& row : figure_rows) {
    const Count before = *row.get(numbered(100)), part = *row.get(numbered(1));
    EXPECT_EQ(row.get(whole), row.additive ? before + part : before) << row.name;
  }
  EXPECT_EQ(whole.activation_peak_bytes, 110);
  EXPECT_EQ(whole.peak_live_bytes, Count(112));
  EXPECT_EQ(whole.weight_bytes, 109 + 10);
}

TEST(Figures, WhatIsNotKnownIsNull) {
  Figures whole, part;
  add(whole, part);
  EXPECT_FALSE(whole.peak_live_bytes.has_value());
  part.peak_live_bytes = 5;
  add(whole, part);
  EXPECT_EQ(whole.peak_live_bytes, Count(5));
  add(whole, Figures());
  EXPECT_EQ(whole.peak_live_bytes, Count(5));
  EXPECT_EQ(figure_rows[12].text(std::nullopt), "-");
  EXPECT_EQ(figure_rows[12].text(Count(5000)), "4.883 KiB");
}

}  // namespace
}  // namespace modelmeter
