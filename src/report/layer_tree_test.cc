#include "report/layer_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "report/table.h"
#include "testing/models.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

std::string tree_of(const AnalyticModel& model, const LayerTreeOptions& options) {
  const Evaluation run = evaluate(model);
  return layer_tree(*module_tree(model, run, {}), run.trace(), run.rollup(), options);
}

std::string wan_tree(LayerTreeOptions options) { return tree_of(*testing_models::wan_model({}), options); }

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

// The line of a layer without its blanks, so that widths of columns do not matter.
std::string row(const std::string& text, const std::string& layer) {
  for (const std::string& line : lines_of(text)) {
    const size_t at = line.find("─ " + layer + " ");
    if (at == std::string::npos) continue;
    std::istringstream words(line.substr(at + std::string("─ ").size()));
    std::string out;
    for (std::string word; words >> word;) out += (out.empty() ? "" : " ") + word;
    return out;
  }
  return "no " + layer;
}

TEST(LayerTree, HasClassesShapesParametersAndCostsOfEachLayer) {
  const std::string text = wan_tree({5});
  // 3 blocks as one row: torchinfo's shapes of one call, the parameters of all: two attentions of 4 x (32 x 32 + 32)
  // and two norms of 32, an affine norm, 32 x 48 + 48 + 48 x 32 + 32, and a modulation of 6 x 32.
  EXPECT_THAT(row(text, "block x 3"),
              testing::StartsWith("block x 3 WanAttentionBlock [1, 12, 32] [1, 12, 32] 35,952 "));
  EXPECT_THAT(text, HasSubstr("│  │  ├─ self_attn"));
  // A Linear's shapes are those of F.linear, not of the product of matrices in it: 3 x (32 x 32 + 32).
  EXPECT_THAT(row(text, "q"), testing::StartsWith("q Linear [1, 12, 32] [1, 12, 32] 3,168 "));
  // A convolution; the input is none of the parameters.
  EXPECT_THAT(row(text, "patch_embedding"),
              testing::StartsWith("patch_embedding Conv3d [1, 16, 2, 4, 6] [1, 32, 2, 2, 3] 2,080 "));
  // Torch counts no FLOPs of it; it is there with its bytes.
  EXPECT_THAT(row(text, "rope"), testing::ContainsRegex("^rope .* - 0 0.0 [0-9.]+ [0-9.]+ 8$"));
}

TEST(LayerTree, GoesAsDeepAsAskedAndSaysWhatIsBelow) {
  const std::string one = wan_tree({1});
  EXPECT_THAT(one, HasSubstr("└─ diffusion/dit"));
  EXPECT_THAT(one, testing::Not(HasSubstr("block")));
  EXPECT_THAT(one, HasSubstr("\nThere are layers below: --depth 2 shows them.\n"));
  EXPECT_THAT(wan_tree({9}), testing::Not(HasSubstr("below")));
}

TEST(LayerTree, SortsBySomethingOnlyWhenAsked) {
  const auto before = [](const std::string& text, const char* a, const char* b) {
    return text.find(std::string("─ ") + a) < text.find(std::string("─ ") + b);
  };
  EXPECT_TRUE(before(wan_tree({2}), "patch_embedding", "block x 3"));  // as they run
  EXPECT_TRUE(before(wan_tree({2, &rank_key("bytes")}), "block x 3", "patch_embedding"));
  EXPECT_THAT(wan_tree({2, &rank_key("memory")}), HasSubstr("Weights, KiB"));
  EXPECT_THAT(wan_tree({2, &rank_key("kernels")}), HasSubstr("Kernels"));
}

TEST(LayerTree, FitsByLeavingOutColumnsThenByShorteningNames) {
  for (const int width : {50, 60, 80, 100, 120, 160}) {
    for (const std::string& line : lines_of(wan_tree({6, nullptr, width}))) {
      EXPECT_LE(shown_width(line), static_cast<size_t>(width)) << line;
    }
  }
  EXPECT_THAT(wan_tree({6, nullptr, 160}), HasSubstr("Input"));
  EXPECT_THAT(wan_tree({6, nullptr, 80}), testing::Not(HasSubstr("Input")));
  EXPECT_THAT(wan_tree({6, nullptr, 80}), HasSubstr("Parameters"));
  EXPECT_THAT(wan_tree({6, nullptr, 50}), HasSubstr("MFLOP (torch)"));
}

// A Linear without a bias is a product of matrices alone; its shapes are those of the call all the same.
TEST(LayerTree, HasTheShapesOfALinearWithoutABias) {
  testing_models::WanSpec spec;
  spec.stages = "[text_encoder, diffusion]";
  const std::string text = tree_of(*testing_models::wan_model(spec), {9, nullptr, 300});
  EXPECT_THAT(row(text, "q"), testing::StartsWith("q Linear [1, 8, 24] [1, 8, 4096] "));
  EXPECT_THAT(row(text, "o"), testing::StartsWith("o Linear [1, 8, 4096] [1, 8, 24] "));
}

// Experts take turns: 5 steps x 3 experts of 8 in each of 3 layers, and a prompt that all of them see.
TEST(LayerTree, OfExpertsShowsTheMeanNumberOfCalls) {
  const std::string text = tree_of(*testing_models::ocr_model({}), {6, nullptr, 200});
  const size_t decode = text.find("─ decode");
  ASSERT_NE(decode, std::string::npos);
  EXPECT_THAT(row(text.substr(decode), "expert x 8"), testing::EndsWith(" 1.9"));
}

// Layers that are equal and registered one by one run as one in the trace, and are still as many layers.
TEST(LayerTree, BlocksOfTheAutoencoderAreAllThereAndAllRun) {
  testing_models::WanSpec spec;
  spec.stages = "[diffusion, vae_decode]";
  const std::string text = tree_of(*testing_models::wan_model(spec), {3});
  const std::string first = row(text, "upsamples_00"), last = row(text, "upsamples_02");
  EXPECT_THAT(first, HasSubstr("ResidualBlock"));
  EXPECT_EQ(first.substr(first.find(' ')), last.substr(last.find(' ')));  // the same figures, in both
  EXPECT_THAT(last, testing::Not(testing::EndsWith(" 0")));
}

}  // namespace
}  // namespace modelmeter
