// What PyTorch's tools read of a snapshot: torch/cuda/_memory_viz.py and torch/utils/viz/MemoryViz.js of PyTorch 2.15.
#include "memory/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "memory/memory_report.h"
#include "memory/segment_map.h"
#include "testing/tiny_model.h"

namespace modelmeter {
namespace {

AllocationRecord record(const AllocatorSettings& settings = {}) {
  const testing_models::TinyModel model;
  return *build_memory_report(model, evaluate(model), "", default_stack(), settings, true).record;
}

nlohmann::json snapshot(const AllocatorSettings& settings = {}) {
  return nlohmann::json::parse(snapshot_file("a.json", record(settings), settings));
}

TEST(Snapshot, BlocksFillTheirSegmentsFromTheirAddressesOn) {
  for (const bool expandable : {false, true}) {
    AllocatorSettings settings;
    settings.expandable_segments = expandable;
    const nlohmann::json s = snapshot(settings);
    ASSERT_FALSE(s["segments"].empty());
    int64_t reserved = 0, allocated = 0;
    for (const auto& segment : s["segments"]) {
      int64_t address = segment["address"], active = 0;
      EXPECT_GT(address, 0);
      EXPECT_LT(address, int64_t{1} << 53);  // exact in JavaScript
      EXPECT_EQ(segment["is_expandable"], expandable);
      for (const auto& block : segment["blocks"]) {
        EXPECT_EQ(block["address"], address);
        address += block["size"].get<int64_t>();
        EXPECT_LE(block["requested_size"], block["size"]);
        if (block["state"] == "inactive") continue;
        EXPECT_EQ(block["state"], "active_allocated");
        EXPECT_EQ(block["frames"].size(), 1u);
        active += block["size"].get<int64_t>();
      }
      EXPECT_EQ(address, segment["address"].get<int64_t>() + segment["total_size"].get<int64_t>());
      EXPECT_EQ(segment["allocated_size"], active);
      EXPECT_EQ(segment["active_size"], active);
      EXPECT_EQ(segment["stream"], 0);
      reserved += segment["total_size"].get<int64_t>();
      allocated += active;
    }
    const SegmentSums sums = sums_of(record(settings).log.segments);
    EXPECT_EQ(reserved, sums.reserved);
    EXPECT_EQ(allocated, sums.allocated);
  }
}

// What the trace leaves allocated and reserved is what the segments hold.
TEST(Snapshot, TheTraceLeadsToTheSegments) {
  const nlohmann::json s = snapshot();
  ASSERT_EQ(s["device_traces"].size(), 1u);
  std::map<int64_t, int64_t> blocks, segments;
  std::set<int64_t> freed;
  for (const auto& event : s["device_traces"][0]) {
    const int64_t address = event["addr"], size = event["size"];
    const std::string action = event["action"];
    if (action == "alloc") {
      EXPECT_TRUE(blocks.emplace(address, size).second);
    }
    if (action == "free_requested") freed.insert(address);
    if (action == "free_completed") {
      EXPECT_EQ(freed.erase(address), 1u);
      EXPECT_EQ(blocks.at(address), size);
      blocks.erase(address);
    }
    if (action == "segment_alloc") segments.emplace(address, size);
    if (action == "segment_free") segments.erase(address);
  }
  EXPECT_TRUE(freed.empty());
  for (const auto& segment : s["segments"]) {
    EXPECT_EQ(segments.at(segment["address"]), segment["total_size"]);
    segments.erase(segment["address"]);
    for (const auto& block : segment["blocks"]) {
      if (block["state"] == "inactive") continue;
      EXPECT_EQ(blocks.at(block["address"]), block["requested_size"]);
      blocks.erase(block["address"]);
    }
  }
  EXPECT_TRUE(segments.empty());
  EXPECT_TRUE(blocks.empty());
}

TEST(Snapshot, NamesWhoseABlockIs) {
  std::set<std::string> names;
  const nlohmann::json s = snapshot();
  for (const auto& segment : s["segments"]) {
    for (const auto& block : segment["blocks"]) {
      for (const auto& frame : block["frames"]) names.insert(frame["name"]);
    }
  }
  EXPECT_THAT(names, testing::Contains("weights: core/net"));
  EXPECT_THAT(names, testing::Contains(testing::StartsWith("aten.")));
}

TEST(Snapshot, IsWrittenByTheEndingOfTheFile) {
  const AllocationRecord r = record();
  EXPECT_EQ(snapshot_file("x/a.pickle", r, {}).substr(0, 2), "\x80\x02");
  EXPECT_EQ(snapshot_file("a.pkl", r, {}).back(), '.');
  EXPECT_THROW(snapshot_file("a.txt", r, {}), Error);
}

}  // namespace
}  // namespace modelmeter
