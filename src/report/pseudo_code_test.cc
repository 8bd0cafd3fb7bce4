#include "report/pseudo_code.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "cost/evaluation.h"
#include "report/module_tree.h"
#include "testing/models.h"

namespace modelmeter {
namespace {

using testing_models::WanSpec;

const ModuleTreeNode* node_with_id(const ModuleTreeNode& node, const std::string& id) {
  if (node.id == id) return &node;
  for (const auto& child : node.children) {
    if (const ModuleTreeNode* found = node_with_id(*child, id)) return found;
  }
  return nullptr;
}

std::string code_of(const AnalyticModel& model, const std::string& id) {
  const Evaluation run = evaluate(model);
  const auto tree = module_tree(model, run, {});
  const ModuleTreeNode* node = node_with_id(*tree, id);
  if (node == nullptr) return "no " + id;
  std::string out;
  for (const std::string& line :
       pseudo_code(run.trace(), representative_scope(*node, run.trace(), run.rollup()), 1000)) {
    out += line + "\n";
  }
  return out;
}

// What the groups of a pattern match; nothing where it does not.
std::vector<std::string> matched(const std::string& text, const std::string& pattern) {
  std::smatch found;
  if (!std::regex_search(text, found, std::regex(pattern))) return {};
  return {found.begin() + 1, found.end()};
}

TEST(PseudoCode, ALoopOverLayersHandsOnTheStateByItsName) {
  const std::string code = code_of(*testing_models::wan_model({}), "diffusion/dit");
  const std::vector<std::string> names =
      matched(code, R"((t\d+) = self\.blocks\[0\]\(.*\n)"
                    R"(for i in range\(1, 3\):\n    (t\d+) = self\.blocks\[i\]\((.*)\)  # WanAttentionBlock.*\n)"
                    R"(t\d+ = self\.head\(.*(t\d+)\))");
  ASSERT_EQ(names.size(), 4u) << code;
  EXPECT_EQ(names[0], names[1]);  // block 0 makes what the others take and make anew
  EXPECT_THAT(names[2], testing::HasSubstr(names[0]));
  EXPECT_EQ(names[3], names[0]);  // and the head takes it
}

TEST(PseudoCode, IsTheForwardOfTheModelNotTheCallsOfTheStage) {
  const std::string code = code_of(*testing_models::wan_model({}), "diffusion/dit");
  EXPECT_THAT(code, testing::Not(testing::HasSubstr("self.()")));
  EXPECT_THAT(code, testing::StartsWith("t1 = self.patch_embedding("));
}

// UniPC keeps two outputs of the model: the older one goes, the younger takes its place, the new one takes that.
TEST(PseudoCode, ALoopOverStepsShiftsWhatTheSolverKeeps) {
  for (const char* implementation : {"official", "diffusers"}) {
    WanSpec spec;
    spec.implementation = implementation;
    spec.stages = "[sampling, diffusion]";
    spec.steps = 20;
    const std::string code = code_of(*testing_models::wan_model(spec), "diffusion/sampling");
    const std::vector<std::string> names = matched(code, R"((t\d+), (t\d+), (t\d+) = scheduler\(.*\)  #.*\n)"
                                                         R"(for _ in range\(17\):\n(?:    .*\n)*)"
                                                         R"(    (t\d+), (t\d+), (t\d+) = scheduler\((.*)\)  #.*\n)"
                                                         R"(    (t\d+), (t\d+) = (t\d+), (t\d+)\n)");
    ASSERT_EQ(names.size(), 11u) << code;
    const std::string &young = names[0], &sample = names[2], &made = names[3];
    EXPECT_EQ(names[5], sample);  // the sample is made anew
    EXPECT_EQ(names[7], young);   // young, old = made, young
    EXPECT_EQ(names[9], made);
    EXPECT_EQ(names[10], young);
    for (const std::string& read : {young, names[8], sample}) EXPECT_THAT(names[6], testing::HasSubstr(read)) << code;
  }
}

TEST(PseudoCode, WhatALoopKeepsIsOneOfEachIteration) {
  const auto ocr = testing_models::ocr_model({});
  const std::string code = code_of(*ocr, "decoder/deepseek_v2_decoder_layer/decode/layer_01/mlp");
  const std::vector<std::string> names =
      matched(code, R"(for i in range\(3\):\n    (t\d+)\[i\] = self\.experts\[i\]\(.*\n)"
                    R"(t\d+ = combine\((t\d+),)");
  ASSERT_EQ(names.size(), 2u) << code;
  EXPECT_EQ(names[0], names[1]);
}

TEST(PseudoCode, EachLayerHasACacheOfItsOwn) {
  const auto ocr = testing_models::ocr_model({});
  const std::string code = code_of(*ocr, "decoder/deepseek_v2_decoder_layer/decode");
  EXPECT_EQ(
      matched(code, R"(for i in range\(1, 4\):\n.* = self\.layers\[i\]\(t\d+, (t\d+)\[i\], (t\d+)\[i\]\))").size(), 2u)
      << code;
}

TEST(PseudoCode, WhatGrowsKeepsItsName) {
  WanSpec spec;
  spec.stages = "[diffusion, vae_decode]";
  spec.frames = 41;
  const std::string code = code_of(*testing_models::wan_model(spec), "vae/decode");
  const std::vector<std::string> names =
      matched(code, R"(for _ in range\(\d+\):  # what grows: its first shape\n(?:    .*\n)*)"
                    R"(    (t\d+) = torch\.cat\((t\d+), t\d+\).*\n(?:.*\n)*torch\.clamp_\((t\d+)\))");
  ASSERT_EQ(names.size(), 3u) << code;
  EXPECT_EQ(names[0], names[1]);
  EXPECT_EQ(names[0], names[2]);
}

}  // namespace
}  // namespace modelmeter
