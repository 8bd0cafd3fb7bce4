#include "cost/op_formula.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cost/op_cost.h"
#include "trace/functional.h"

namespace modelmeter {
namespace {

// The value of "2 x 3 + 4 x 5".
int64_t value_of(const std::string& numbers) {
  if (numbers.empty()) return 0;
  int64_t sum = 0, product = 1;
  std::istringstream in(numbers);
  for (std::string word; in >> word;) {
    if (word == "+") {
      sum += product;
      product = 1;
    } else if (word != "x") {
      product *= std::stoll(word);
    }
  }
  return sum + product;
}

class OpFormulaTest : public testing::Test {
 protected:
  Tensor make(const Shape& sizes, DType dtype = DType::bfloat16) { return tracer.allocate(sizes, dtype); }

  // What is written out comes to what is counted, for every op so far.
  void expect_values() {
    for (const Op& op : tracer.trace().ops) {
      const OpFormula f = formula_of(tracer.trace(), op);
      const OpCost c = cost_of(tracer.trace(), op);
      EXPECT_EQ(value_of(f.tensor_flops.numbers), c.flops_tensor) << f.tensor_flops.numbers;
      EXPECT_EQ(value_of(f.vector_flops.numbers), c.flops_vector) << f.vector_flops.numbers;
      EXPECT_EQ(value_of(f.read.numbers), c.bytes_read) << f.read.numbers;
      EXPECT_EQ(value_of(f.written.numbers), c.bytes_written) << f.written.numbers;
    }
  }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

TEST_F(OpFormulaTest, WritesOutAMatrixProduct) {
  torch::linear(make({3, 5}), make({7, 5}), make({7}));
  const OpFormula f = formula_of(tracer.trace(), tracer.trace().ops.back());
  EXPECT_EQ(f.tensor_flops.symbols, "2 m k n");
  EXPECT_EQ(f.tensor_flops.numbers, "2 x 3 x 5 x 7");
  EXPECT_EQ(f.written.numbers, "3 x 7 x 2");
  expect_values();
}

TEST_F(OpFormulaTest, EveryKindOfKernelComesToItsCount) {
  const Tensor image = make({2, 3, 8, 8}), q = make({2, 4, 6, 8}), table = make({10, 16});
  torch::conv2d(image, make({4, 3, 3, 3}), make({4}), {1, 1}, {1, 1});
  torch::scaled_dot_product_attention(q, q, make({2, 4, 6, 8}));
  torch::matmul(make({2, 3, 5}), make({2, 5, 7}));
  torch::grouped_mm(make({10, 5}), make({4, 5, 7}), make({4}, DType::int32));
  torch::softmax(q, -1);
  torch::silu(image);
  torch::mean(q, -1, true);
  torch::embedding(table, make({5}, DType::int64));
  torch::index(table, make({5}, DType::int64));
  torch::cat({q, q}, 1);
  torch::add(q.expand({2, 4, 6, 8}), make({1}).expand({8}));
  torch::to(q, DType::float32);
  torch::zeros({4, 4}, DType::float32);
  torch::layer_norm(make({3, 16}), make({16}), make({16}));
  ASSERT_GT(tracer.trace().ops.size(), 12u);
  expect_values();
}

}  // namespace
}  // namespace modelmeter
