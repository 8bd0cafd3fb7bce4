#include "fit/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "config/compose.h"
#include "cost/weight_transfers.h"
#include "fit/fit_text.h"
#include "hardware/catalog.h"
#include "model/registry.h"
#include "timing/run_time.h"

namespace modelmeter {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int64_t gib = int64_t{1} << 30;
const std::string source = MODELMETER_SOURCE_DIR;

// A pipeline of three blocks on a small video.
std::unique_ptr<AnalyticModel> small(const std::vector<std::string>& overrides) {
  static const config::Repository repository(source + "/configs");
  std::vector<std::string> all = {"workload.height=256",      "workload.width=256",
                                  "workload.num_frames=5",    "workload.num_inference_steps=2",
                                  "transformer.num_layers=3", "runtime.allow_unsupported=true"};
  all.insert(all.end(), overrides.begin(), overrides.end());
  const config::Node node = config::resolve(config::compose(repository, "wan2_1_t2v_1_3b_pipeline", all));
  return build_model(config::View(node), {source});
}

FitQuestion with_memory(int64_t memory) {
  FitQuestion out;
  out.memory = memory;
  out.stack = &default_stack();
  return out;
}

FitWay way_of(const std::vector<std::string>& overrides, const FitQuestion& question) {
  return FitSearch(small, question).way(overrides);
}
std::vector<FitWay> ways_of(const FitQuestion& question) { return FitSearch(small, question).ways(); }

const Machine& rtx_4090() {
  static const config::Repository repository(source + "/configs");
  static const Machine machine(load_device(repository, "rtx_4090"), load_kernel_stack(repository, "torch_2_11"),
                               load_host(repository, "virtual_16_cores"));
  return machine;
}

TEST(Fit, TheContextIsNotForSegments) {
  EXPECT_EQ(with_memory(24 * gib).capacity(), 24 * gib - (int64_t{426} << 20));
  EXPECT_THROW(with_memory(gib / 4).capacity(), Error);
}

TEST(Fit, AWayFitsToTheByteOfWhatItNeeds) {
  const FitWay roomy = way_of({}, with_memory(64 * gib));
  EXPECT_TRUE(roomy.fits);
  EXPECT_THAT(roomy.failed, IsEmpty());
  EXPECT_EQ(roomy.nvidia_smi(default_stack()), roomy.reserved + (int64_t{426} << 20));
  EXPECT_FALSE(roomy.seconds.has_value());
  const FitWay exact = way_of({}, with_memory(roomy.nvidia_smi(default_stack())));
  EXPECT_TRUE(exact.fits);
  EXPECT_EQ(exact.retries, 0);
  // With less, freed segments go back first; with less than is allocated at once it ends.
  const FitWay tight = way_of({}, with_memory(roomy.nvidia_smi(default_stack()) - 1));
  EXPECT_TRUE(!tight.fits || tight.retries > 0);
  const FitWay over = way_of({}, with_memory(roomy.allocated));
  EXPECT_FALSE(over.fits);
  ASSERT_EQ(over.failed.size(), 1u);
  EXPECT_EQ(over.allocated, roomy.allocated);  // what it would need
  EXPECT_LE(over.failed[0].reserved, roomy.allocated - (int64_t{426} << 20));
}

TEST(Fit, WaysAreThoseOfWhichNoPartIsEnough) {
  // With room for all, as it is: other ways are listed only where they are faster, or copy less.
  const std::vector<FitWay> all = ways_of(with_memory(64 * gib));
  EXPECT_THAT(all, Contains(testing::Field(&FitWay::overrides, IsEmpty())));
  for (size_t i = 1; i < all.size(); ++i) EXPECT_LE(all[i - 1].copied, all[i].copied);
  for (const FitWay& way : all) {
    EXPECT_TRUE(way.fits);
    EXPECT_EQ(way.notes.size(), way.typed().size());
    EXPECT_THAT(way.overrides, Not(Contains("runtime.residency=offload")));  // copies more and is not needed
  }
  // T5 alone has 10.6 GiB in bfloat16: in 8 GiB it cannot be on the device whole.
  for (const FitWay& way : ways_of(with_memory(8 * gib))) {
    EXPECT_THAT(way.overrides, testing::AnyOf(Contains("runtime.t5_cpu=true"), Contains("runtime.residency=sequential"),
                                              Contains("runtime.residency=group"),
                                              Contains(testing::StartsWith("text_encoder.weight_format="))));
  }
  EXPECT_THAT(ways_of(with_memory(gib / 2)), IsEmpty());
}

TEST(Fit, AMachineSaysWhatTheWaysCost) {
  FitQuestion question = with_memory(12 * gib);
  question.machine = &rtx_4090();
  const std::vector<FitWay> ways = ways_of(question);
  ASSERT_GE(ways.size(), 2u);
  for (size_t i = 1; i < ways.size(); ++i) EXPECT_LE(*ways[i - 1].seconds, *ways[i].seconds);
  for (const FitWay& way : ways) {
    // Weights go over PCIe at 31 GB/s.
    EXPECT_GT(*way.seconds, static_cast<double>(way.copied) / 31e9);
    EXPECT_EQ(way.on_host,
              std::find(way.overrides.begin(), way.overrides.end(), "runtime.t5_cpu=true") != way.overrides.end());
  }
}

TEST(Fit, TheLargestWorkloadIsFoundBetweenThoseThatFitAndThoseThatDoNot) {
  std::vector<std::vector<std::string>> workloads;
  for (int frames = 1; frames <= 41; frames += 4)
    workloads.push_back({"workload.num_frames=" + std::to_string(frames)});
  workloads.push_back({"workload.num_frames=-3"});  // refused: passed over
  const FitWay at_21 = way_of({"workload.num_frames=21"}, with_memory(64 * gib));
  const FitQuestion enough = with_memory(at_21.nvidia_smi(default_stack()));
  const auto found = FitSearch(small, enough).largest(workloads);
  ASSERT_TRUE(found.has_value());
  const FitWay next = way_of({"workload.num_frames=25"}, with_memory(64 * gib));
  if (next.reserved > at_21.reserved) {
    EXPECT_THAT(found->overrides, ElementsAre("workload.num_frames=21"));
  }
  const FitQuestion least = with_memory(gib);
  EXPECT_FALSE(FitSearch(small, least).largest(workloads).has_value());
}

// What stages have in common is kept: each way is as if it were the only one.
TEST(Fit, WaysThatShareTheirStagesAreAsThoseByThemselves) {
  FitQuestion question = with_memory(12 * gib);
  question.machine = &rtx_4090();
  FitSearch search(small, question);
  for (const FitWay& way : search.ways()) {
    if (!way.alloc_conf.empty()) continue;
    const FitWay alone = way_of(way.overrides, question);
    EXPECT_EQ(way.allocated, alone.allocated);
    EXPECT_EQ(way.reserved, alone.reserved);
    EXPECT_EQ(way.copied, alone.copied);
    EXPECT_EQ(way.seconds, alone.seconds);
    const RunReplay apart = replay_run(*small(way.overrides), default_stack());
    EXPECT_EQ(way.allocated, apart.peak_allocated);
    EXPECT_EQ(way.reserved, apart.peak_reserved);
  }
  EXPECT_GE(search.evaluated(), 20);
}

// Every figure of a way with nothing kept from others.
FitWay from_scratch(const std::vector<std::string>& overrides, const FitQuestion& question) {
  const auto model = small(overrides);
  const Evaluation run = evaluate(*model);
  FitWay out;
  out.live = run.rollup().peak_live_bytes(run.trace());
  for (const Residence& residence : run.trace().residences) {
    const WeightTransfers moved = weight_transfers(run.trace(), residence);
    out.copied += moved.to_device + moved.to_host;
    out.on_host |= !residence.on_device;
  }
  out.seconds = time_run(run, *question.machine).total().wall;
  const RunReplay replay = replay_run(*model, *question.stack);
  out.allocated = replay.peak_allocated;
  out.reserved = replay.peak_reserved;
  return out;
}

// Stages are taken for alike where nothing that they are made of differs: settings that change what a stage is, where
// its weights are, or only its numbers.
TEST(Fit, WhatIsKeptOfStagesIsThatOfEachWayFromScratch) {
  FitQuestion question = with_memory(256 * gib);
  question.machine = &rtx_4090();
  FitSearch search(small, question);
  const std::string diffusers = "runtime.implementation=diffusers";
  const std::vector<std::vector<std::string>> ways = {
      {},
      {"runtime.residency=offload"},
      {"runtime.t5_cpu=true"},
      {"runtime.weight_dtype=bfloat16"},
      {"runtime.block_swap=2"},
      {"runtime.block_swap=3", "runtime.prefetch_blocks=1"},
      {diffusers, "runtime.attention=math"},
      {"runtime.attention_density=0.5"},
      {"runtime.step_cache=0.5"},
      {"runtime.cfg=false"},
      {"runtime.execution=compiled"},
      {"workload.num_frames=9"},
      {"workload.num_inference_steps=3"},
      {"workload.prompt_tokens=30"},
      {"transformer.num_layers=2"},
      {diffusers},
      {diffusers, "runtime.residency=offload"},
      {diffusers, "runtime.residency=sequential"},
      {diffusers, "runtime.residency=group"},
      {diffusers, "runtime.residency=group", "runtime.group_offload.use_stream=true"},
      {diffusers, "runtime.residency=group", "runtime.group_offload.use_stream=true",
       "runtime.group_offload.record_stream=true"},
      {diffusers, "runtime.residency=group", "runtime.group_offload.offload_type=leaf_level"},
      {diffusers, "runtime.vae_tiling=true"},
      {diffusers, "runtime.vae_tiling=true", "runtime.vae_tile_size=128", "runtime.vae_tile_stride=96"},
      {diffusers, "vae.weight_dtype=bfloat16"},
      {diffusers, "runtime.scheduler=euler"},
      {diffusers, "transformer.weight_format=fp8_e4m3"},
      {diffusers, "transformer.weight_format=gguf_q4_k", "runtime.block_swap=2"},
      {diffusers, "transformer.weight_format=bnb_nf4"},
      {diffusers, "transformer.weight_format=bnb_nf4", "transformer.keep_modules=[ffn]"},
      {diffusers, "transformer.lora.rank=8"},
      {diffusers, "text_encoder.weight_format=bnb_nf4"},
      {},
  };
  for (const std::vector<std::string>& overrides : ways) {
    SCOPED_TRACE(testing::PrintToString(overrides));
    const FitWay kept = search.way(overrides), scratch = from_scratch(overrides, question);
    EXPECT_TRUE(kept.fits);
    EXPECT_EQ(kept.live, scratch.live);
    EXPECT_EQ(kept.allocated, scratch.allocated);
    EXPECT_EQ(kept.reserved, scratch.reserved);
    EXPECT_EQ(kept.copied, scratch.copied);
    EXPECT_EQ(kept.on_host, scratch.on_host);
    EXPECT_EQ(kept.seconds, scratch.seconds);
  }
  EXPECT_LT(search.traced(), 3 * static_cast<int64_t>(ways.size()));  // each has four stages
}

TEST(Fit, OfEachSmallerWorkloadTheFastestWayIsFound) {
  const FitQuestion question = with_memory(8 * gib);
  FitSearch search(small, question);
  const std::vector<FitWay> found = search.best_of_each({{"workload.num_frames=1"}, {"workload.num_frames=-3"}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].overrides[0], "workload.num_frames=1");
  EXPECT_EQ(found[0].typed().size(), found[0].notes.size());
  EXPECT_TRUE(found[0].fits);
}

FitReport report_with(int64_t memory) {
  FitReport r;
  r.model = "Wan2_1Model";
  r.workload = "small";
  r.question = with_memory(memory);
  r.given = way_of({}, r.question);
  r.ways = ways_of(r.question);
  return r;
}

TEST(FitText, SaysYesOrNoAndWhatToType) {
  const std::string no = fit_text(report_with(8 * gib));
  EXPECT_THAT(no, HasSubstr("# Does it fit: Wan2_1Model, small, on 8.000 GiB\n\nNo: "));
  EXPECT_THAT(no, HasSubstr(" too much.\nIt ends in text_encoder/umt5, when a weight or an input asks for "));
  EXPECT_THAT(no, HasSubstr("runtime.t5_cpu=true"));
  EXPECT_THAT(no, HasSubstr("- runtime.t5_cpu=true: the text encoder runs on the CPU\n"));
  EXPECT_THAT(fit_text(report_with(64 * gib)), HasSubstr("\n\nYes: "));
  EXPECT_THAT(fit_text(report_with(gib)), HasSubstr("No setting makes it fit"));
}

TEST(FitText, SaysWhereItIsClose) {
  const int64_t needs = way_of({}, with_memory(64 * gib)).nvidia_smi(default_stack());
  EXPECT_THAT(fit_text(report_with(needs + 1)), HasSubstr("within the 1 % of the prediction"));
  EXPECT_THAT(fit_text(report_with(needs + gib)), Not(HasSubstr("within the 1 %")));
}

TEST(FitJson, HasTheSameFigures) {
  const FitReport r = report_with(8 * gib);
  const nlohmann::json out = nlohmann::json::parse(fit_json(r));
  EXPECT_EQ(out["fits"], false);
  EXPECT_EQ(out["memory_bytes"], 8 * gib);
  EXPECT_EQ(out["given"]["max_memory_reserved_bytes"], r.given.reserved);
  EXPECT_EQ(out["given"]["out_of_memory"]["stage"], "text_encoder/umt5");
  EXPECT_EQ(out["given"]["margin_bytes"], 8 * gib - r.given.nvidia_smi(default_stack()));
  EXPECT_EQ(out["ways"].size(), r.ways.size());
  EXPECT_EQ(out["ways"][0]["fits"], true);
  EXPECT_TRUE(out["ways"][0]["total_time_s"].is_null());
  EXPECT_EQ(out.count("max_frames"), 0u);
}

}  // namespace
}  // namespace modelmeter
