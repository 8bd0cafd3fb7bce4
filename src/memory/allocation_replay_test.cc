#include "memory/allocation_replay.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>

#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

using Kind = AllocationEvent::Kind;

constexpr int64_t mib = int64_t{1} << 20;

AllocationProgram program_of(const Tracer& tracer) {
  const Trace& trace = tracer.trace();
  return allocation_program(trace, 0, static_cast<int32_t>(trace.ops.size()), default_stack());
}

// "+4 +8 -4": bytes that are allocated and freed, loops as ( and )x3.
std::string text_of(const AllocationProgram& program) {
  std::map<int32_t, int64_t> bytes;
  std::string out;
  for (const AllocationEvent& e : program.events) {
    out += out.empty() ? "" : " ";
    if (e.kind == Kind::allocate) out += "+" + std::to_string(bytes[e.id] = e.bytes);
    if (e.kind == Kind::free) out += "-" + std::to_string(bytes[e.id]);
    if (e.kind == Kind::begin) out += "(";
    if (e.kind == Kind::end) out += ")x" + std::to_string(program.loops[static_cast<size_t>(e.id)].count);
  }
  return out;
}

TEST(AllocationProgram, AllocatesForTheOpAndFreesBeforeTheNext) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  {
    Tensor x = tracer.input({4}, DType::float32);  // given: not of it
    Tensor y = torch::silu(x);
    Tensor z = torch::cat({y, y}, 0);
    y.reset();
    z = torch::gelu(z);
  }
  EXPECT_EQ(text_of(program_of(tracer)), "+16 +32 -16 +32 -32 -32");
}

TEST(AllocationProgram, AConvolutionHasItsWorkspaceWhileItRuns) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const int64_t input = 4 * 8 * 10 * 12, weight = 4 * 4 * 8 * 9;
  torch::conv2d(tracer.input({1, 8, 10, 12}, DType::float32), tracer.parameter({4, 8, 3, 3}, DType::float32),
                tracer.parameter({4}, DType::float32), {1, 1});
  const int64_t output = 4 * 4 * 8 * 10;
  EXPECT_EQ(text_of(program_of(tracer))
                .rfind("+" + std::to_string(output) + " +" + std::to_string(input + weight) + " -" +
                           std::to_string(input + weight),
                       0),
            0u)
      << text_of(program_of(tracer));
}

// state = gelu(silu(state)), 40 times: an iteration frees what the one before left.
struct Blocks {
  explicit Blocks(bool folds, int64_t rows = mib) {
    Tracer::Guard guard(tracer);
    tracer.folds = folds;
    Tensor x = torch::silu(tracer.input({rows}, DType::float32));
    x = repeat(40, std::move(x), [](int64_t, const Tensor& state) { return torch::gelu(torch::silu(state)); });
    x = torch::silu(x);
  }
  Tracer tracer;
};

TEST(AllocationProgram, RepetitionsAreLoopsThatCarryTheirState) {
  const Blocks blocks(true, 2);
  const AllocationProgram program = program_of(blocks.tracer);
  EXPECT_EQ(text_of(program), "+8 ( +8 +8 -8 -8 )x40 +8 -8 -8");
  ASSERT_EQ(program.loops.size(), 1u);
  EXPECT_EQ(program.loops[0].carried.size(), 1u);
}

TEST(AllocationReplay, LoopsAreWhatTheyAreWrittenOut) {
  CachingAllocator folded(default_stack().allocator), slow(default_stack().allocator);
  const Blocks one(true), other(false);
  const AllocationProgram a = program_of(one.tracer), b = program_of(other.tracer);
  AllocationReplay short_way(a, folded), long_way(b, slow);
  EXPECT_TRUE(short_way.run());
  EXPECT_TRUE(long_way.run());
  EXPECT_EQ(folded.peak_allocated(), slow.peak_allocated());
  EXPECT_EQ(folded.peak_allocated(), 12 * mib);  // three of 4 MiB
  EXPECT_EQ(folded.peak_reserved(), slow.peak_reserved());
  EXPECT_EQ(folded.allocated(), 0);
  EXPECT_EQ(slow.allocated(), 0);
  EXPECT_LT(short_way.replayed(), 40);  // it ends when the allocator is as before
  EXPECT_GT(long_way.replayed(), 160);
}

TEST(AllocationReplay, SaysForWhatThereIsNoRoom) {
  CachingAllocator small(default_stack().allocator, {.capacity = 21 * mib});
  Tracer tracer;
  Tracer::Guard guard(tracer);
  {
    const Tensor x = torch::silu(tracer.input({mib}, DType::float32));
    const Tensor y = torch::cat({x, x, x, x, x}, 0);
  }
  const AllocationProgram program = program_of(tracer);
  AllocationReplay replay(program, small);
  EXPECT_FALSE(replay.run());
  EXPECT_EQ(replay.failed_op(), 1);
  EXPECT_EQ(replay.failed_bytes(), 20 * mib);
  EXPECT_EQ(small.allocated(), 4 * mib);
  replay.free_rest();
  EXPECT_EQ(small.allocated(), 0);
}

// Four weights of 30 MiB one after another on the copies' stream, each gone when 1,100 kernels were launched: where the
// stream is recorded the first is free for the third of them, and where the host waits, for the second.
TEST(AllocationReplay, WeightsOfARecordedStreamGoWhenTheirKernelsHaveRun) {
  for (const auto& [records, waits, blocks] :
       {std::tuple{false, false, 1}, std::tuple{true, false, 2}, std::tuple{true, true, 1}}) {
    AllocationProgram program;
    program.records_stream = records;
    program.storages = 4;
    for (int32_t i = 0; i < 4; ++i) {
      program.events.push_back({Kind::allocate, i, 1100 * i, copy_stream, false, 30 * mib, 30 * mib});
      program.events.push_back({Kind::free, i, 1100 * i + 1100, copy_stream});
      if (waits) program.events.push_back({Kind::wait, 0, 1100 * i + 1100});
    }
    CachingAllocator allocator(default_stack().allocator);
    AllocationReplay replay(program, allocator);
    EXPECT_TRUE(replay.run());
    EXPECT_EQ(allocator.peak_allocated(), 30 * mib);
    EXPECT_EQ(allocator.peak_reserved(), blocks * 30 * mib);
  }
}

TEST(AllocationReplay, AConvolutionWithoutRoomForItsWorkspaceDoesWithout) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  torch::conv2d(tracer.input({1, 64, 512, 512}, DType::float32), tracer.parameter({4, 64, 3, 3}, DType::float32),
                tracer.parameter({4}, DType::float32), {1, 1});
  const AllocationProgram program = program_of(tracer);
  for (const int64_t capacity : {80 * mib, 40 * mib}) {  // the workspace is above 64 MiB, the output 4
    CachingAllocator allocator(default_stack().allocator, {.capacity = capacity});
    AllocationReplay replay(program, allocator);
    EXPECT_TRUE(replay.run()) << capacity;
    EXPECT_LE(allocator.peak_allocated(), capacity);
  }
}

// Segments that have waited no less than all do on average go back first: how long depends on how often a loop ran,
// though each of its repetitions leaves the same blocks.
TEST(AllocationReplay, GarbageCollectionCountsEveryRepetition) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const auto ask = [&](int64_t size) { torch::silu(tracer.input({size / 4}, DType::float32)); };
  ask(24 * mib);
  repeat_alike(40, [&] { ask(30 * mib); });
  ask(36 * mib);
  ask(42 * mib);  // the three have waited 42, 2 and 1 requests
  const AllocationProgram program = program_of(tracer);
  AllocatorSettings settings;
  settings.memory = 200 * mib;
  settings.memory_fraction = 1;
  settings.garbage_collection_threshold = 0.4;
  CachingAllocator allocator(default_stack().allocator, settings);
  AllocationReplay replay(program, allocator);
  EXPECT_TRUE(replay.run());
  EXPECT_EQ(allocator.reserved(), (30 + 36 + 42) * mib);
}

// A loop that grows: a cache of k + 1 rows in iteration k. Sizes lie on a line.
TEST(AllocationReplay, GrowingLoopsGrow) {
  for (const int64_t unrolls : {0, 1000}) {
    CachingAllocator allocator(default_stack().allocator);
    Tracer tracer;
    Tracer::Guard guard(tracer);
    tracer.unrolls = unrolls;
    {
      Tensor cache = torch::silu(tracer.input({1, mib}, DType::float32));
      LoopState state{{}, {&cache}};
      repeat_steadily(60, state, [&](int64_t) {
        cache = torch::cat({cache, torch::silu(tracer.input({1, mib}, DType::float32))}, 0);
      });
    }
    const AllocationProgram program = program_of(tracer);
    AllocationReplay replay(program, allocator);
    EXPECT_TRUE(replay.run());
    // The last iteration: 60 rows, one more, and 61, of 4 MiB each.
    EXPECT_EQ(allocator.peak_allocated(), (60 + 1 + 61) * 4 * mib) << unrolls;
    EXPECT_EQ(allocator.allocated(), 0) << unrolls;
  }
}

}  // namespace
}  // namespace modelmeter
