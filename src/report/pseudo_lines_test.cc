// Lines of pseudo-code, of traces made here: kernels, views, calls, loops, and what is left out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/pseudo_code.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

using testing::ElementsAre;

class PseudoLines : public testing::Test {
 protected:
  std::vector<std::string> lines(size_t most = 100, int32_t scope = 0) {
    return pseudo_code(tracer_.trace(), scope, most);
  }
  Tensor given(const Shape& sizes) { return tracer_.input(sizes, DType::float32); }

  Tracer tracer_;
  Tracer::Guard guard_{tracer_};
  int module_ = 0;
};

TEST_F(PseudoLines, AKernelNamesWhatItTakesAndMakes) {
  const Tensor x = given({2, 3});
  const Tensor y = torch::neg(x);
  const Tensor z = torch::mul(y, x);
  torch::add_(z, y);
  EXPECT_THAT(lines(),
              ElementsAre("t1 = torch.neg(given[2, 3])  # [2, 3] f32", "t2 = torch.mul(t1, given[2, 3])  # [2, 3] f32",
                          "torch.add_(t2, t1)  # [2, 3] f32"));  // in place: nothing new
}

TEST_F(PseudoLines, AViewIsTheTensorThatItIsOf) {
  const Tensor x = torch::neg(given({2, 3}));
  const Tensor y = torch::neg(x.transpose(0, 1));
  torch::mul(y, x.transpose(0, 1));
  EXPECT_THAT(lines(), ElementsAre("t1 = torch.neg(given[2, 3])  # [2, 3] f32", "t2 = torch.neg(t1)  # [3, 2] f32",
                                   "t3 = torch.mul(t2, t1)  # [3, 2] f32"));
}

TEST_F(PseudoLines, WhatIsOnTheHostSaysSo) {
  const Tensor x = torch::to_device(tracer_.host({4}, DType::int64), DType::int64);
  torch::mul(x, 2);
  ASSERT_EQ(lines().size(), 2u);
  EXPECT_THAT(lines()[0], testing::MatchesRegex("t[0-9] = torch\\._to_copy\\(host[0-9]\\)  # \\[4\\] i64"));
}

TEST_F(PseudoLines, ACallNamesTheModuleAsThePythonCodeDoes) {
  const auto call = [&](const char* name, int64_t index, const Tensor& x) {
    tracer_.enter_module(name, "Layer", &module_, index);
    Tensor out = torch::neg(x);
    tracer_.leave();
    return out;
  };
  Tensor x = torch::neg(given({2}));
  x = call("proj", -1, x);
  x = call("net.0.proj", -1, x);
  x = call("blocks", 2, x);
  tracer_.enter_function("vae/decode");
  x = torch::neg(x);
  tracer_.leave();
  EXPECT_THAT(lines(), ElementsAre("t1 = torch.neg(given[2])  # [2] f32", "t2 = self.proj(t1)  # Layer: [2] f32",
                                   "t3 = self.net[0].proj(t2)  # Layer: [2] f32",
                                   "t4 = self.blocks[2](t3)  # Layer: [2] f32", "t5 = vae.decode(t4)  # [2] f32"));
}

TEST_F(PseudoLines, ACallThatLeavesManyShowsTheFirstTwoAndTheLast) {
  std::vector<Tensor> kept;
  tracer_.enter_module("split", "Split", &module_);
  for (int64_t i = 1; i <= 5; ++i) kept.push_back(torch::neg(given({i})));
  tracer_.leave();
  EXPECT_THAT(lines(), ElementsAre("t1, t2, t3 = self.split()  # Split: [1] f32, [2] f32, [5] f32"));
}

TEST_F(PseudoLines, ACallThatLeavesNothingShowsWhatItsLastKernelMakes) {
  tracer_.enter_module("probe", "Probe", &module_);
  torch::neg(torch::neg(given({3})));
  tracer_.leave();
  EXPECT_THAT(lines(), ElementsAre("t1 = self.probe()  # Probe: [3] f32"));
}

TEST_F(PseudoLines, ALoopOverAListBeginsAtItsFirst) {
  const Tensor x = torch::neg(given({2}));
  const Tensor y = repeat(3, x, [&](int64_t i, const Tensor& state) {
    tracer_.enter_module("layers", "Layer", &module_, 4 + i);
    Tensor out = torch::neg(state);
    tracer_.leave();
    return out;
  });
  torch::neg(y);
  // The first takes what the loop begins with, the others what the one before leaves: one name from there on.
  EXPECT_THAT(lines(), ElementsAre("t1 = torch.neg(given[2])  # [2] f32", "t2 = self.layers[4](t1)  # Layer: [2] f32",
                                   "for i in range(5, 7):", "    t2 = self.layers[i](t2)  # Layer: [2] f32",
                                   "t3 = torch.neg(t2)  # [2] f32"));
}

TEST_F(PseudoLines, ALoopOverNoListCountsNothing) {
  const Tensor x = given({2});
  repeat_alike(5, [&] { torch::neg(x); });
  EXPECT_THAT(lines(), ElementsAre("for _ in range(5):", "    t1 = torch.neg(given[2])  # [2] f32"));
}

TEST_F(PseudoLines, WhatIsTooLongIsCutAndSaid) {
  for (int64_t i = 1; i <= 10; ++i) torch::neg(given({i}));
  EXPECT_EQ(lines(10).size(), 10u);
  const std::vector<std::string> cut = lines(7);
  ASSERT_EQ(cut.size(), 8u);
  EXPECT_EQ(cut[6], "t7 = torch.neg(given[7])  # [7] f32");
  EXPECT_EQ(cut[7], "# ... 3 more");
}

TEST_F(PseudoLines, OfAScopeAreWhatRunsInIt) {
  torch::neg(given({1}));
  const int32_t scope = tracer_.enter_module("inner", "Inner", &module_);
  torch::neg(given({2}));
  tracer_.leave();
  torch::neg(given({3}));
  EXPECT_THAT(lines(100, scope), ElementsAre("t1 = torch.neg(given[2])  # [2] f32"));
  EXPECT_EQ(lines().size(), 3u);
}

}  // namespace
}  // namespace modelmeter
