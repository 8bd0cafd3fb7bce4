#include "verify/allocator_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/gzip.h"
#include "verify/csv.h"

namespace modelmeter {
namespace {

using LogJson = nlohmann::json;

constexpr int64_t small_request = int64_t{1} << 20;

int64_t address_of(const LogJson& event) {
  return std::stoll(event.at(2).get<std::string>(), nullptr, 16);  // "0x7f…"
}

class LogReplay {
 public:
  LogReplay(const LogJson& log, CachingAllocator& allocator) : log_(log), allocator_(allocator) { add_older(); }

  void play(const LogJson& event) {
    const std::string action = event.at(0);
    const int64_t address = address_of(event);
    if (action == "segment_alloc") allocator_.place_next_segment(address);
    if (action == "alloc") blocks_[address] = allocator_.allocate(event.at(1).get<int64_t>());
    if (action != "free_completed") return;
    const auto found = blocks_.find(address);
    if (found == blocks_.end()) throw Error("it frees what was not allocated");
    allocator_.free(found->second);
    blocks_.erase(found);
  }

 private:
  // Allocations older than the log (workspaces of cuBLAS that a run before it left): blocks at the end that no event
  // made, in segments that none took.
  void add_older() {
    std::multiset<int64_t> taken, made;
    std::map<int64_t, int64_t> live;
    for (const LogJson& event : log_.at("events")) {
      if (event.at(0) == "segment_alloc") taken.insert(event.at(1).get<int64_t>());
      if (event.at(0) == "alloc") live[address_of(event)] = event.at(1).get<int64_t>();
      if (event.at(0) == "free_completed") live.erase(address_of(event));
    }
    for (const auto& [address, bytes] : live) made.insert(bytes);
    std::vector<int64_t> older;
    for (const LogJson& segment : log_.at("segments")) {
      for (const LogJson& block : segment.at("blocks")) {
        if (block.at(2) != "active_allocated") continue;
        const auto found = made.find(block.at(1).get<int64_t>());
        if (found == made.end()) {
          older.push_back(block.at(1).get<int64_t>());
        } else {
          made.erase(found);
        }
      }
      add_older_segment(segment, taken);
    }
    for (const int64_t bytes : older) allocator_.allocate(bytes);
  }

  void add_older_segment(const LogJson& segment, std::multiset<int64_t>& taken) {
    const auto found = taken.find(segment.at("size").get<int64_t>());
    if (found != taken.end()) {
      taken.erase(found);
      return;
    }
    const bool small = segment.at("kind") == "small";
    allocator_.place_next_segment(older_address(small));
    allocator_.free(allocator_.allocate(small ? 1 : segment.at("size").get<int64_t>()));
  }

  // Of an older segment: what is allocated in it lies in none of those that the log has taken.
  int64_t older_address(bool small) const {
    std::map<int64_t, int64_t> taken;
    int64_t lowest = std::numeric_limits<int64_t>::max();
    for (const LogJson& event : log_.at("events")) {
      const int64_t address = address_of(event), bytes = event.at(1).get<int64_t>();
      if (event.at(0) == "segment_alloc") taken[address] = address + bytes;
      if (event.at(0) != "alloc" || (bytes <= small_request) != small) continue;
      const auto above = taken.upper_bound(address);
      if (above != taken.begin() && std::prev(above)->second > address) continue;
      lowest = std::min(lowest, address);
    }
    return lowest / (2 * small_request) * (2 * small_request);
  }

  const LogJson& log_;
  CachingAllocator& allocator_;
  std::map<int64_t, CachingAllocator::Block> blocks_;  // by address in the log
};

std::vector<AllocatorMark> marks_of(const LogJson& log, CachingAllocator& allocator) {
  constexpr size_t with_peaks = 6;
  std::vector<AllocatorMark> out;
  LogReplay replay(log, allocator);
  const LogJson& events = log.at("events");
  size_t next = 0;
  for (const LogJson& mark : log.at("marks")) {
    const auto end = std::min(mark.at(1).get<size_t>(), events.size());
    for (; next < end; ++next) replay.play(events[next]);
    if (mark.size() >= with_peaks) {
      out.push_back({mark[0], mark[2].get<int64_t>(), mark[3].get<int64_t>(), mark[4].get<int64_t>(),
                     mark[5].get<int64_t>(), allocator.allocated(), allocator.reserved(), allocator.peak_allocated(),
                     allocator.peak_reserved()});
    }
    allocator.reset_peaks();
  }
  for (; next < events.size(); ++next) replay.play(events[next]);
  return out;
}

}  // namespace

std::vector<AllocatorMark> replay_allocator_log(const std::string& path, CachingAllocator& allocator) {
  const std::string text = read_gzipped(path);
  try {
    return marks_of(LogJson::parse(text), allocator);
  } catch (const LogJson::exception& broken) {
    throw Error(fmt::format("{}: no log of PyTorch's allocator", path), {}, {broken.what()});
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path, error.message()));
  } catch (const std::logic_error&) {  // std::stoll
    throw Error(fmt::format("{}: no log of PyTorch's allocator", path), {}, {"an address is no hexadecimal number"});
  }
}

std::vector<AllocatorMark> replay_allocator_log(const std::string& path) {
  CachingAllocator allocator(default_stack().allocator);
  return replay_allocator_log(path, allocator);
}

}  // namespace modelmeter
