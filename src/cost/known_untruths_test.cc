// What is counted and is known not to be what a device does, pinned by name with what would be right. A change that
// makes one true changes its test; a figure that rests on one is found by its name. Why each is so is in docs/flops.md.
#include <gtest/gtest.h>

#include "cost/op_cost.h"
#include "trace/functional.h"

namespace modelmeter {
namespace {

class KnownUntruths : public testing::Test {
 protected:
  Tensor make(const Shape& sizes, DType dtype = DType::bfloat16) { return tracer.allocate(sizes, dtype); }
  OpCost last() const { return cost_of(tracer.trace(), tracer.trace().ops.back()); }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

// Right for a causal mask: 16 x 17 / 2 scores, since the kernel skips blocks above the diagonal; FlopCounterMode counts
// 16 x 16 too.
TEST_F(KnownUntruths, Attention_CountsMaskedScoresInFull) {
  const Tensor q = make({1, 2, 16, 64}), mask = make({1, 1, 16, 16}, DType::boolean);
  torch::scaled_dot_product_attention(q, q, q);
  const int64_t unmasked = last().flops_tensor;
  torch::scaled_dot_product_attention(q, q, q, mask);
  EXPECT_EQ(last().flops_tensor, unmasked);
  EXPECT_EQ(last().flops_tensor, 2 * 2 * (16 * 16) * (64 + 64));
}

// Right: the sum over sequences of their own queries by their own keys; FlopCounterMode takes the longest for all.
TEST_F(KnownUntruths, VarlenAttention_CountsEverySequenceAsTheLongest) {
  const Tensor q = make({16 + 4, 2, 64}), offsets = make({3}, DType::int32);  // sequences of 16 and 4
  torch::flash_attn_varlen_func(q, q, q, offsets, offsets, 16, 16);
  EXPECT_EQ(last().flops_tensor, 2 * 2 * 2 * (16 * 16) * (64 + 64));
  EXPECT_NE(last().flops_tensor, 2 * 2 * (16 * 16 + 4 * 4) * (64 + 64));
}

// Right: at most the table, 10 rows of 8 elements: repeated rows come from the cache.
TEST_F(KnownUntruths, Embedding_ReadsARowForEachIndexEvenWhereItIsRepeated) {
  torch::embedding(make({10, 8}), make({1000}, DType::int64));
  EXPECT_EQ(last().bytes_read, 8 * 1000 + 2 * 8 * 1000);
}

// Right: it reads indices and values, and writes the rows that they name.
TEST_F(KnownUntruths, IndexPut_ReadsAndWritesTheWholeTarget) {
  const Tensor target = make({1000, 8}), rows = make({2}, DType::int64), values = make({2, 8});
  torch::index_put_(target, rows, values);
  EXPECT_EQ(last().bytes_read, 2 * (1000 * 8) + 8 * 2 + 2 * (2 * 8));
  EXPECT_EQ(last().bytes_written, 2 * (1000 * 8));
}

// Right: positions in the padding multiply nothing; 8 x 8 x 9 products of each pair of channels less those of the rim.
TEST_F(KnownUntruths, Convolution_CountsItsPadding) {
  torch::conv2d(make({1, 1, 8, 8}), make({1, 1, 3, 3}), Tensor(), {1, 1}, {1, 1});
  EXPECT_EQ(last().flops_tensor, 2 * (8 * 8) * 9);
  EXPECT_NE(last().flops_tensor, 2 * (3 * 8 - 2) * (3 * 8 - 2));
}

// Right: about log2(n) comparisons for each element.
TEST_F(KnownUntruths, Sort_CountsOneComparisonForEachElement) {
  torch::sort(make({1024}, DType::float32));
  EXPECT_EQ(last().flops_vector, 1024);
}

// Right: nothing on the device but the write; it is the link to the host that carries them.
TEST_F(KnownUntruths, CopyToTheDevice_ReadsHostMemoryAsItsOwn) {
  torch::to_device(tracer.host({100}, DType::float32), DType::float32);
  EXPECT_EQ(last().bytes_read, 4 * 100);
}

}  // namespace
}  // namespace modelmeter
