// The caching allocator against PyTorch's own: its log of a real run's events, replayed (H200, torch 2.11). Skipped
// where the logs are absent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/json.h"
#include "entries.h"
#include "memory/allocation_replay.h"
#include "memory/run_replay.h"
#include "memory/caching_allocator.h"

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

class Replay {
 public:
  explicit Replay(const nlohmann::json& log) : log_(log), allocator_(default_stack().allocator) {
    add_what_was_there();
  }

  CachingAllocator& allocator() { return allocator_; }

  void play(const nlohmann::json& event) {
    const std::string& what = event[0];
    const std::string& address = event[2];
    if (what == "segment_alloc") allocator_.place_next_segment(std::stoll(address, nullptr, 16));
    if (what == "alloc") blocks_[address] = allocator_.allocate(event[1].get<int64_t>());
    if (what != "free_completed") return;
    allocator_.free(blocks_.at(address));
    blocks_.erase(address);
  }

 private:
  // Allocations older than the log (workspaces of cuBLAS that a run before it left): blocks at the end that no event
  // made, in segments that none took.
  void add_what_was_there() {
    std::multiset<int64_t> taken, made;
    std::map<std::string, int64_t> live;
    for (const auto& event : log_["events"]) {
      if (event[0] == "segment_alloc") taken.insert(event[1].get<int64_t>());
      if (event[0] == "alloc") live[event[2]] = event[1].get<int64_t>();
      if (event[0] == "free_completed") live.erase(event[2]);
    }
    for (const auto& [address, bytes] : live) made.insert(bytes);
    std::vector<int64_t> older;
    for (const auto& segment : log_["segments"]) {
      for (const auto& block : segment["blocks"]) {
        if (block[2] != "active_allocated") continue;
        const auto found = made.find(block[1].get<int64_t>());
        if (found == made.end()) {
          older.push_back(block[1].get<int64_t>());
        } else {
          made.erase(found);
        }
      }
      const auto found = taken.find(segment["size"].get<int64_t>());
      if (found != taken.end()) {
        taken.erase(found);
      } else {
        const bool small = segment["kind"] == "small";
        allocator_.place_next_segment(older_address(small));
        allocator_.free(allocator_.allocate(small ? 1 : segment["size"].get<int64_t>()));
      }
    }
    for (const int64_t bytes : older) allocator_.allocate(bytes);
  }

  // Of an older segment: what is allocated in it lies in none of those that the log has taken.
  int64_t older_address(bool small) const {
    constexpr int64_t mebibyte = int64_t{1} << 20;
    std::map<int64_t, int64_t> taken;
    int64_t lowest = std::numeric_limits<int64_t>::max();
    for (const auto& event : log_["events"]) {
      const int64_t address = std::stoll(event[2].get<std::string>(), nullptr, 16), bytes = event[1].get<int64_t>();
      if (event[0] == "segment_alloc") taken[address] = address + bytes;
      if (event[0] != "alloc" || (bytes <= mebibyte) != small) continue;
      const auto above = taken.upper_bound(address);
      if (above != taken.begin() && std::prev(above)->second > address) continue;
      lowest = std::min(lowest, address);
    }
    return lowest / (2 * mebibyte) * (2 * mebibyte);
  }

  const nlohmann::json& log_;
  CachingAllocator allocator_;
  std::map<std::string, CachingAllocator::Block> blocks_;
};

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
  for (const CachingAllocator::SegmentView& segment : allocator.segments()) {
    std::vector<std::pair<int64_t, int64_t>> blocks;
    for (const CachingAllocator::BlockView& block : segment.blocks) blocks.emplace_back(block.size, block.requested);
    out.emplace(segment.size, std::move(blocks));
  }
  return out;
}

class AllocatorLog : public testing::TestWithParam<const char*> {};

TEST_P(AllocatorLog, ReplayedGivesTheSameBytesAndSegments) {
  const fs::path path = logs() / (std::string(GetParam()) + ".json.gz");
  if (!fs::exists(path)) GTEST_SKIP() << "skipped: no " << path << "; MODELMETER_SHARED can say where";
  const nlohmann::json log = read_gzipped(path);
  Replay replay(log);
  size_t next = 0;
  for (const auto& mark : log["marks"]) {
    const auto end = mark[1].get<size_t>();
    for (; next < end; ++next) replay.play(log["events"][next]);
    EXPECT_EQ(replay.allocator().allocated(), mark[2].get<int64_t>()) << mark[0];
    EXPECT_EQ(replay.allocator().reserved(), mark[3].get<int64_t>()) << mark[0];
    if (mark.size() > 4) {
      EXPECT_EQ(replay.allocator().peak_allocated(), mark[4].get<int64_t>()) << mark[0];
      EXPECT_EQ(replay.allocator().peak_reserved(), mark[5].get<int64_t>()) << mark[0];
    }
    replay.allocator().reset_peaks();
  }
  EXPECT_EQ(next, log["marks"].back()[1].get<size_t>());
  EXPECT_EQ(segments_of(replay.allocator()), segments_of(log));
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

TEST(DevOurs, Vae) {
  const nlohmann::json log = read_gzipped(logs() / "memlog-vae2.1-official-decode-480x832x17.json.gz");
  FILE* f = fopen("/tmp/theirs.txt", "w");
  std::map<std::string, int64_t> at;
  for (size_t i = log["marks"][1][1].get<size_t>(); i < log["marks"][2][1].get<size_t>(); ++i) {
    const auto& e = log["events"][i];
    if (e[0] == "alloc") fprintf(f, "%ld\n", at[e[2]] = e[1].get<int64_t>());
    if (e[0] == "free_completed") fprintf(f, "%ld\n", -at[e[2]]);
  }
  fclose(f);
  const auto model = entries::model("wan2_1_t2v_14b_pipeline", {"workload.height=480", "workload.width=832", "workload.num_frames=17"});
  for (const auto& stage : model->stages()) {
    if (stage->id() != "vae/decode") continue;
    Tracer tracer;
    tracer.unrolls = 256;
    stage->trace_forward(tracer);
    const AllocationProgram program = allocation_program(tracer.trace(), 0, static_cast<int32_t>(tracer.trace().ops.size()), stack_of("sm90"));
    f = fopen("/tmp/ours.txt", "w");
    const WrittenOut written(program);
    for (auto x : written.list()) fprintf(f, "%ld\n", x);
    fclose(f);
    const RunReplay r = replay_forward(*stage, stack_of("sm90"));
    printf("allocated %ld reserved %ld\n", r.peak_allocated, r.peak_reserved);
  }
}

TEST(DevOurs, Show) {
  struct Row { const char* entry; std::vector<std::string> overrides; const char* stage; const char* arch; int64_t start, allocated, reserved; };
  const std::vector<Row> rows = {
#include "/tmp/rows.inc"
  };
  for (const Row& row : rows) {
    const auto model = entries::model(row.entry, row.overrides);
    for (const auto& stage : model->stages()) {
      if (stage->id() != row.stage) continue;
      const RunReplay r = replay_forward(*stage, stack_of("sm90"));
      printf("%s %s: weights %ld start %ld; allocated %ld theirs %ld  %+.3f %%  reserved %ld theirs %ld %+.3f %%\n", row.entry, row.stage, stage->weight_and_buffer_bytes(), row.start, r.peak_allocated, row.allocated, 100.0 * (double(r.peak_allocated) / double(row.allocated) - 1), r.peak_reserved, row.reserved, 100.0 * (double(r.peak_reserved) / double(row.reserved) - 1));
    }
  }
}

}  // namespace
}  // namespace modelmeter
