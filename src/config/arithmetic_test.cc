#include "config/arithmetic.h"

#include <gtest/gtest.h>

#include "config/scalar.h"

namespace modelmeter::config {
namespace {

std::string result(const char* text) { return python_str(calculate(text)); }

// Every expected value is Python's.
TEST(Calculate, ComputesAsPythonDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {"1 + 2 * 3", "7"},     {"(1 + 2) * 3", "9"}, {"7 / 2", "3.5"},     {"7 // 2", "3"},       {"-7 // 2", "-4"},
      {"-7 % 3", "2"},        {"7 % -3", "-2"},     {"2 ** 10", "1024"},  {"2 ** -1", "0.5"},    {"-2 ** 2", "-4"},
      {"2 ** 3 ** 2", "512"}, {"1e3", "1000.0"},    {"1_000", "1000"},    {"7.5 // 2", "3.0"},   {"min(3, 1, 2)", "1"},
      {"max(3, 1.5)", "3"},   {"abs(-3)", "3"},     {"ceil(7 / 2)", "4"}, {"floor(-0.5)", "-1"}, {"round(2.5)", "2"},
      {"int(-3.9)", "-3"},    {"float(2)", "2.0"},  {"- - 3", "3"},       {"81//16+1", "6"},
  };
  for (const auto& [text, value] : cases) EXPECT_EQ(result(text), value) << text;
}

TEST(Calculate, Errors) {
  for (const char* text : {"", "1 +", "1 / 0", "1 // 0", "5 % 0", "(1", "1)", "a", "pow(2, 3)", "abs(1, 2)", "1 2",
                           "9223372036854775807 + 1", "2 ** 64", "1..2", "int(1e30)", "__import__"}) {
    EXPECT_THROW(calculate(text), Error) << text;
  }
  EXPECT_THROW(calculate(std::string(10000, '(')), Error);
  EXPECT_THROW(calculate(std::string(10000, '-') + "1"), Error);
}

}  // namespace
}  // namespace modelmeter::config
