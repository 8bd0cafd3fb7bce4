#include "model/parallel_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

ParallelPlan plan_of(const std::string& yaml) {
  const config::Node node = config::parse_yaml("plan: " + yaml + "\n", "plan.yaml");
  return ParallelPlan::read(config::View(node));
}

std::string plan_error(const std::string& yaml) {
  try {
    plan_of(yaml);
    return "no error";
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(ParallelPlans, AreOneRankUnlessTheySayOtherwise) {
  const config::Node none = config::Node::map();
  for (const ParallelPlan& plan : {ParallelPlan::read(config::View(none)), plan_of("{}"), plan_of("null"),
                                   plan_of("{ulysses: 1, ring: 1, cfg_parallel: 1, fsdp: false, world_size: null}")}) {
    EXPECT_TRUE(plan.one_rank());
    EXPECT_TRUE(plan.fields().empty());
    EXPECT_EQ(plan, ParallelPlan());
  }
}

TEST(ParallelPlans, AreOfAsManyRanksAsTheirDegreesMultiplyTo) {
  const ParallelPlan plan = plan_of("{ulysses: 4, ring: 2, cfg_parallel: 2, rank: 15}");
  EXPECT_EQ(plan.world_size, 16);
  EXPECT_EQ(plan.process(), (Rank{15, 16}));
  EXPECT_EQ(plan.to_string(), "16 ranks (ulysses 4, ring 2, cfg 2), of which this is 15");
  EXPECT_EQ(plan_of("{world_size: 8}").world_size, 8);
  EXPECT_EQ(plan_of("{world_size: 8}").to_string(), "8 ranks (the same on each), of which this is 0");
}

TEST(ParallelPlans, SayWhichWeightsAreCut) {
  const auto cut = [](const std::string& fsdp) {
    const ParallelPlan plan = plan_of("{world_size: 2, fsdp: " + fsdp + "}");
    return std::pair(plan.fsdp_transformer, plan.fsdp_text_encoder);
  };
  EXPECT_EQ(cut("true"), std::pair(true, true));
  EXPECT_EQ(cut("false"), std::pair(false, false));
  EXPECT_EQ(cut("transformer"), std::pair(true, false));
  EXPECT_EQ(cut("text_encoder"), std::pair(false, true));
}

TEST(ParallelPlans, ThatCannotBeAreErrors) {
  EXPECT_THAT(plan_error("{ulyses: 2}"), HasSubstr("ulyses"));
  EXPECT_THAT(plan_error("{ulysses: 0}"), HasSubstr("plan.ulysses: expected"));
  EXPECT_THAT(plan_error("{ulysses: 70000}"), HasSubstr("plan.ulysses"));
  EXPECT_THAT(plan_error("{ulysses: 60000, ring: 60000}"), HasSubstr("are more than 65536"));
  EXPECT_THAT(plan_error("{cfg_parallel: 3}"), HasSubstr("two branches"));
  EXPECT_THAT(plan_error("{fsdp: true}"), HasSubstr("there is one"));
  EXPECT_THAT(plan_error("{fsdp: vae, world_size: 2}"), HasSubstr("plan.fsdp"));
  EXPECT_THAT(plan_error("{ulysses: 4, world_size: 2}"), HasSubstr("fewer than the plan's degrees"));
  EXPECT_THAT(plan_error("{ulysses: 4, world_size: 6}"), HasSubstr("do not divide"));
  EXPECT_THAT(plan_error("{ulysses: 4, rank: 4}"), HasSubstr("of 4 ranks the last is 3"));
  EXPECT_THAT(plan_error("{rank: 1}"), HasSubstr("of 1 rank the last is 0"));
  EXPECT_THAT(plan_error("{ulysses: 2, rank: -1}"), HasSubstr("plan.rank"));
}

TEST(ParallelPlans, SayWhatWouldDivide) {
  const config::Node node = config::parse_yaml("plan: {ulysses: 3}\n", "plan.yaml");
  const config::View plan = config::View(node).at("plan");
  EXPECT_NO_THROW(check_divides(plan, "ulysses", 12, "attention heads"));
  EXPECT_NO_THROW(check_divides(plan, "ring", 7, "attention heads"));
  try {
    check_divides(plan, "ulysses", 40, "attention heads");
    FAIL() << "40 by 3";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("40 attention heads do not divide by 3 ranks"));
    ASSERT_EQ(error.notes().size(), 1u);
    EXPECT_EQ(error.notes()[0], "plan.ulysses=2, 4, 5, 8, 10, 20, 40 would");
  }
}

}  // namespace
}  // namespace modelmeter
