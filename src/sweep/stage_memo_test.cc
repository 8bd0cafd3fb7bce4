// With a stage that is made up: what the memo keeps, and that polynomials are used only where they hold.
#include "sweep/stage_memo.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "layer/linear.h"

namespace modelmeter {
namespace {

class Nothing : public BaseLayer {
 public:
  Nothing() : BaseLayer("Nothing") {}
};

// An attention over run[0] tokens, run[1] times as wide, in a loop of run[2]; what is odd about it, a test says.
class MadeUp : public Stage {
 public:
  enum class Odd { nothing, cubic, another_kernel, peak_of_another_form };

  MadeUp(Odd odd, std::vector<Dependence> depends_on)
      : Stage("made/up", "other", {}), odd_(odd), depends_on_(std::move(depends_on)) {}

  const BaseLayer& layer() const override { return layer_; }
  std::vector<Dependence> depends_on() const override { return depends_on_; }
  void forward(Tracer& tracer, const RunValues& run) const override {
    const int64_t n = run[0], width = run[1];
    const Tensor x = tracer.input({n, width}, DType::float32);
    Tensor scores = torch::matmul(x, x.transpose(0, 1));
    scores = torch::matmul(scores, x);
    if (odd_ == Odd::cubic) torch::matmul(torch::empty({n, n}, DType::float32), torch::empty({n, n}, DType::float32));
    if (odd_ == Odd::another_kernel && n > 40) torch::mul(scores, 2.0);
    if (odd_ == Odd::peak_of_another_form) torch::empty({n / 7 + 100 * n, n}, DType::float32);
  }

 private:
  Odd odd_;
  std::vector<Dependence> depends_on_;
  Nothing layer_;
};

using Odd = MadeUp::Odd;

const std::vector<Dependence> square = {{0, 2, 1, 1, 100}, {1}};

RunValues run_of(int64_t n, int64_t width) { return {n, width}; }

StageResult traced(const Stage& stage, const RunValues& run) {
  StageTracer tracer(stage, {&stage});
  return tracer.trace(run);
}

// Of 100 runs, each compared with its trace.
MemoStats stats_of(const MadeUp& stage) {
  StageMemo memo(stage, {&stage});
  for (int64_t n = 100; n > 0; --n)
    EXPECT_EQ(memo.at(run_of(n, 8), Offload::Kind::none), traced(stage, run_of(n, 8))) << n;
  return memo.stats();
}

TEST(StageMemo, EqualNumbersAreTracedOnce) {
  const MadeUp stage(Odd::nothing, {{0}, {1}});
  StageMemo memo(stage, {&stage});
  for (const int64_t n : {3, 3, 4, 3, 4})
    EXPECT_EQ(memo.at(run_of(n, 8), Offload::Kind::none), traced(stage, run_of(n, 8)));
  EXPECT_EQ(memo.stats().traced, 2);
  EXPECT_EQ(memo.stats().known, 3);
  EXPECT_EQ(memo.at(run_of(3, 9), Offload::Kind::none), traced(stage, run_of(3, 9)));
  EXPECT_EQ(memo.stats().traced, 3);
}

TEST(StageMemo, ManyRunsBecomeAPolynomial) {
  const MemoStats stats = stats_of(MadeUp(Odd::nothing, square));
  EXPECT_EQ(stats.fits, 1);
  EXPECT_EQ(stats.failed_fits, 0);
  EXPECT_EQ(stats.traced, 3);
  EXPECT_EQ(stats.evaluated, 97);
}

// 12 floats are given; x x^T is n x n, and times x again n x width: the first stays until the second is there.
TEST(StageTracer, ReadsOffWhatAForwardAdds) {
  const MadeUp stage(Odd::nothing, square);
  const StageResult r = traced(stage, run_of(4, 3));
  EXPECT_EQ(r.input_bytes, 4 * 3 * 4);
  EXPECT_EQ(r.cost.flops_tensor, 2 * (2 * 4 * 4 * 3));
  EXPECT_EQ(r.cost.kernels, 2);
  EXPECT_EQ(r.peak_live, 4 * (4 * 4 + 4 * 3));
  EXPECT_TRUE(r.held.empty());
}

// Offloaded in one way and in another are kept apart.
TEST(StageMemo, OffloadedIsAnotherResult) {
  const MadeUp stage(Odd::nothing, {{0}, {1}});
  StageMemo memo(stage, {&stage});
  for (const Offload::Kind kind : {Offload::Kind::none, Offload::Kind::modules, Offload::Kind::none}) {
    memo.at(run_of(4, 3), kind);
  }
  EXPECT_EQ(memo.stats().traced, 2);
  EXPECT_EQ(memo.stats().known, 1);
}

// Beyond its range a polynomial is not asked.
TEST(StageMemo, OutsideOfTheRangeRunsAreTraced) {
  const MadeUp stage(Odd::nothing, {{0, 2, 10, 5, 50}, {1}});
  StageMemo memo(stage, {&stage});
  for (int64_t n = 1; n <= 60; ++n)
    EXPECT_EQ(memo.at(run_of(n, 8), Offload::Kind::none), traced(stage, run_of(n, 8))) << n;
  EXPECT_EQ(memo.stats().evaluated, 9 - 3);  // 10, 15 … 50
}

// The widths make families of their own: each has its polynomial.
TEST(StageMemo, NumbersOfNoKnownFormMakeFamilies) {
  const MadeUp stage(Odd::nothing, square);
  StageMemo memo(stage, {&stage});
  for (int64_t n = 1; n <= 100; ++n) {
    for (const int64_t width : {8, 16})
      EXPECT_EQ(memo.at(run_of(n, width), Offload::Kind::none), traced(stage, run_of(n, width)));
  }
  EXPECT_EQ(memo.stats().fits, 2);
  EXPECT_EQ(memo.stats().failed_fits, 0);
}

TEST(StageMemo, AHigherDegreeThanSaidIsNoticed) {
  const MemoStats stats = stats_of(MadeUp(Odd::cubic, square));
  EXPECT_EQ(stats.failed_fits, 1);
  EXPECT_EQ(stats.traced, 100);
}

TEST(StageMemo, OtherKernelsAreNoticed) { EXPECT_EQ(stats_of(MadeUp(Odd::another_kernel, square)).failed_fits, 1); }

TEST(StageMemo, APeakOfAnotherFormIsNoticed) {
  EXPECT_EQ(stats_of(MadeUp(Odd::peak_of_another_form, square)).failed_fits, 1);
}

// An error somewhere in the range is that of no other run.
TEST(StageMemo, SizesThatOverflowLeaveTheOthers) {
  const MadeUp stage(Odd::nothing, {{0, 2, 1, 1, 2'000'000'000}, {1}});
  StageMemo memo(stage, {&stage});
  for (int64_t n = 1; n <= 10; ++n) EXPECT_EQ(memo.at(run_of(n, 8), Offload::Kind::none), traced(stage, run_of(n, 8)));
  EXPECT_EQ(memo.stats().failed_fits, 1);
  EXPECT_THROW(memo.at(run_of(2'000'000'000, 8), Offload::Kind::none), Error);
  EXPECT_EQ(memo.at(run_of(5, 8), Offload::Kind::none), traced(stage, run_of(5, 8)));
}

TEST(StageMemo, MemoryIsBounded) {
  const MadeUp stage(Odd::nothing, {{0}, {1}});
  StageMemo memo(stage, {&stage});
  const auto runs = static_cast<int64_t>(StageMemo::most_results) + 10;
  for (int64_t n = 1; n <= runs; ++n) memo.at(run_of(n, 1), Offload::Kind::none);
  EXPECT_EQ(memo.stats().traced, runs);
  memo.at(run_of(1, 1), Offload::Kind::none);  // forgotten
  EXPECT_EQ(memo.stats().traced, runs + 1);
  memo.at(run_of(runs, 1), Offload::Kind::none);
  EXPECT_EQ(memo.stats().traced, runs + 1);
}

}  // namespace
}  // namespace modelmeter
