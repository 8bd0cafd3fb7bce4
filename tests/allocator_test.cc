// The caching allocator against PyTorch's own: its log of a real run's events, replayed (H200, torch 2.11). Skipped
// where the logs are absent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "base/json.h"
#include "entries.h"
#include "memory/allocation_replay.h"
#include "memory/caching_allocator.h"
#include "memory/run_replay.h"
#include "verify/allocator_log.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

fs::path logs() {
  const char* shared = std::getenv("MODELMETER_SHARED");
  const fs::path root = shared != nullptr ? fs::path(shared) : fs::path(MODELMETER_SOURCE_DIR) / ".." / "shared";
  return root / "data" / "measured" / "gpu";
}

nlohmann::json read_gzipped(const fs::path& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  std::string text(1 << 16, '\0'), all;
  for (int n = 0; (n = gzread(file.get(), text.data(), static_cast<unsigned>(text.size()))) > 0;) {
    all.append(text, 0, static_cast<size_t>(n));
  }
  return nlohmann::json::parse(all);
}

using Segments = std::multiset<std::pair<int64_t, std::vector<std::pair<int64_t, int64_t>>>>;

Segments segments_of(const nlohmann::json& log) {
  Segments out;
  for (const auto& segment : log["segments"]) {
    std::vector<std::pair<int64_t, int64_t>> blocks;
    for (const auto& block : segment["blocks"]) {
      blocks.emplace_back(block[0].get<int64_t>(), block[2] == "inactive" ? 0 : block[1].get<int64_t>());
    }
    out.emplace(segment["size"].get<int64_t>(), std::move(blocks));
  }
  return out;
}

Segments segments_of(const CachingAllocator& allocator) {
  Segments out;
  for (const AllocatorSegment& segment : allocator.segments()) {
    std::vector<std::pair<int64_t, int64_t>> blocks;
    for (const AllocatorBlock& block : segment.blocks) blocks.emplace_back(block.size, block.requested);
    out.emplace(segment.size, std::move(blocks));
  }
  return out;
}

class AllocatorLog : public testing::TestWithParam<const char*> {};

TEST_P(AllocatorLog, ReplayedGivesTheSameBytesAndSegments) {
  const fs::path path = logs() / (std::string(GetParam()) + ".json.gz");
  if (!fs::exists(path)) GTEST_SKIP() << "skipped: no " << path << "; MODELMETER_SHARED can say where";
  CachingAllocator allocator(default_stack().allocator);
  const std::vector<AllocatorMark> marks = replay_allocator_log(path.string(), allocator);
  EXPECT_GE(marks.size(), 2u);
  for (const AllocatorMark& mark : marks) {
    EXPECT_EQ(mark.replayed_allocated, mark.allocated) << mark.where;
    EXPECT_EQ(mark.replayed_reserved, mark.reserved) << mark.where;
    EXPECT_EQ(mark.replayed_peak_allocated, mark.peak_allocated) << mark.where;
    EXPECT_EQ(mark.replayed_peak_reserved, mark.peak_reserved) << mark.where;
  }
  EXPECT_EQ(segments_of(allocator), segments_of(read_gzipped(path)));
}

INSTANTIATE_TEST_SUITE_P(OfPyTorch, AllocatorLog,
                         testing::Values("memlog-t2v-1.3b-official-480p33", "memlog-vae2.1-official-decode-256x256x9",
                                         "memlog-vae2.1-official-decode-480x832x17"),
                         [](const auto& log) {
                           std::string name = log.param;
                           std::replace_if(
                               name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

// A program's allocations and frees one after another, loops written out: bytes, negative where they go.
class WrittenOut {
 public:
  explicit WrittenOut(const AllocationProgram& program) : program_(program), bytes_(program.storages) {
    write(0, program.events.size());
  }
  const std::vector<int64_t>& list() const { return list_; }

 private:
  void write(size_t first, size_t end) {
    for (size_t i = first; i < end; ++i) {
      const AllocationEvent& event = program_.events[i];
      if (event.kind == AllocationEvent::Kind::allocate) list_.push_back(bytes_[event.id] = event.bytes);
      if (event.kind == AllocationEvent::Kind::free) list_.push_back(-bytes_[event.id]);
      if (event.kind != AllocationEvent::Kind::begin) continue;
      const AllocationLoop& loop = program_.loops[event.id];
      for (int64_t k = 0; k < loop.count; ++k) {
        if (k > 0) {
          for (const auto& [found, left] : loop.carried) bytes_[found] = bytes_[left];
        }
        write(loop.begin + 1, loop.end);
      }
      i = loop.end;
    }
  }

  const AllocationProgram& program_;
  std::vector<int64_t> bytes_;
  std::vector<int64_t> list_;
};

// Allocations above a MiB in the second forward of the log, in order.
std::vector<int64_t> large_in_log(const nlohmann::json& log) {
  std::vector<int64_t> out;
  for (size_t i = log["marks"][1][1].get<size_t>(); i < log["marks"][2][1].get<size_t>(); ++i) {
    const auto& event = log["events"][i];
    if (event[0] == "alloc" && event[1].get<int64_t>() > (1 << 20)) out.push_back(event[1].get<int64_t>());
  }
  return out;
}

// What a forward of the official transformer asks for, one after another, is what ours does: inputs that the script
// makes come first; a convolution's workspace has some hundred bytes more.
TEST(Allocations, OfAForwardAreThoseOfThePyTorchRun) {
  const fs::path path = logs() / "memlog-t2v-1.3b-official-480p33.json.gz";
  if (!fs::exists(path)) GTEST_SKIP() << "skipped: no " << path << "; MODELMETER_SHARED can say where";
  std::vector<int64_t> theirs = large_in_log(read_gzipped(path));
  theirs.erase(theirs.begin());  // the latent in float32, which our forward is given
  const auto model =
      entries::model("wan2_1_t2v_1_3b", {"workload.height=480", "workload.width=832", "workload.num_frames=33"});
  Tracer tracer;
  model->stages().front()->trace_forward(tracer);
  const Trace& trace = tracer.trace();
  const AllocationProgram program =
      allocation_program(trace, 0, static_cast<int32_t>(trace.ops.size()), stack_of("sm90"));
  const WrittenOut written(program);
  std::vector<int64_t> ours;
  for (const int64_t bytes : written.list()) {
    if (bytes > (1 << 20)) ours.push_back(bytes);
  }
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_LE(std::abs(ours[i] - theirs[i]), i < 4 ? 512 : 0)
        << "allocation " << i << ": " << ours[i] << ", " << theirs[i];
  }
}

struct MeasuredForward {
  const char *entry, *stage;
  std::vector<std::string> overrides;
  int64_t at_start, peak_allocated, peak_reserved;
  double reserved_within = 0.01;
};

// data/measured/gpu/forwards.csv. What was on the device before belongs to the script (workspaces, models that ran
// before), so that peaks are compared above it, as shares of the whole.
TEST(Allocations, PeaksOfForwardsAreThoseMeasured) {
  const std::string height = "workload.height=", width = "workload.width=", frames = "workload.num_frames=";
  const MeasuredForward rows[] = {
      {"wan2_1_t2v_1_3b",
       "diffusion/dit",
       {height + "480", width + "832", frames + "33"},
       5783358464,
       6706045952,
       7566524416},
      {"wan2_1_t2v_1_3b",
       "diffusion/dit",
       {height + "480", width + "832", frames + "81"},
       5788752896,
       7937831936,
       9456058368},
      {"wan2_1_t2v_14b",
       "diffusion/dit",
       {height + "720", width + "1280", frames + "16"},
       57260905472,
       60382454784,
       60678995968},
      {"wan2_1_t2v_14b",
       "diffusion/dit",
       {height + "512", width + "512", frames + "16"},
       57258267648,
       58148774912,
       58294534144},
      {"wan2_1_t2v_14b_pipeline",
       "vae/decode",
       {height + "480", width + "832", frames + "33"},
       635621888,
       9192650240,
       12780044288},
      {"wan2_1_i2v_14b_480p_pipeline",
       "vae/encode",
       {height + "480", width + "832", frames + "33"},
       790174208,
       7657598464,
       9156165632},
      {"wan2_1_t2v_14b_pipeline", "text_encoder/umt5", {}, 12504776704, 12760629248, 12830375936},
      {"wan2_1_i2v_14b_480p_pipeline",
       "image_encoder/clip",
       {},
       2406353920,
       2414699520,
       2573205504,
       0.015},  // 1.1 of its 2.4 GB were there before: the text tower, and what the script left
  };
  for (const MeasuredForward& row : rows) {
    const auto model = entries::model(row.entry, row.overrides);
    for (const auto& stage : model->stages()) {
      if (stage->id() != row.stage) continue;
      const RunReplay ours = replay_forward(*stage, stack_of("sm90"));
      const auto error = [&](int64_t peak, int64_t measured) {
        return static_cast<double>((peak - ours.allocated_before) - (measured - row.at_start)) /
               static_cast<double>(measured);
      };
      EXPECT_LT(std::abs(error(ours.peak_allocated, row.peak_allocated)), 0.0025) << row.entry << " " << row.stage;
      EXPECT_LT(std::abs(error(ours.peak_reserved, row.peak_reserved)), row.reserved_within)
          << row.entry << " " << row.stage;
    }
  }
}

// Folded repetitions and those written out leave the allocator alike.
TEST(Allocations, OfFoldedBlocksHaveThePeaksOfAllOfThem) {
  for (const char* entry : {"wan2_1_t2v_1_3b", "wan2_2_ti2v_5b", "wan2_1_vace_1_3b"}) {
    const auto model = entries::model(entry, {"workload.height=256", "workload.width=256", "workload.num_frames=5"});
    Tracer folded, written_out;
    written_out.folds = false;
    folded.unrolls = 256;  // as runs are replayed: loops over hints and chunks in full
    model->stages().front()->trace_forward(folded);
    model->stages().front()->trace_forward(written_out);
    CachingAllocator one(default_stack().allocator), other(default_stack().allocator);
    for (const auto& [tracer, allocator] : {std::pair{&folded, &one}, std::pair{&written_out, &other}}) {
      const Trace& trace = tracer->trace();
      const AllocationProgram program =
          allocation_program(trace, 0, static_cast<int32_t>(trace.ops.size()), default_stack());
      AllocationReplay replay(program, *allocator);
      EXPECT_TRUE(replay.run());
      replay.free_rest();
      EXPECT_EQ(allocator->allocated(), 0);
    }
    EXPECT_EQ(one.peak_allocated(), other.peak_allocated()) << entry;
    EXPECT_EQ(one.peak_reserved(), other.peak_reserved()) << entry;
  }
}

}  // namespace
}  // namespace modelmeter
