#include "memory/snapshot.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/json_writer.h"
#include "base/pickle_writer.h"

namespace modelmeter {
namespace {

using Action = AllocationLog::Action;

// Ours count down from 0, but for expandable segments; a device's are positive and below 2^53, as JavaScript wants.
constexpr int64_t address_base = 0x7f0000000000;
int64_t shown(int64_t address) { return address < 0 ? address_base + address : address; }

void write_frames(const AllocationRecord& record, const AllocationMaker& maker, DocumentWriter& out) {
  out.key("frames");
  out.begin_list();
  if (maker.of >= 0) {
    const Allocated& made = record.makers[static_cast<size_t>(maker.of)];
    out.map([&] {
      out.field("filename", made.scope);
      out.field("line", std::max(made.op, 0));
      out.field("name", made.what);
    });
  }
  out.end_list();
}

void write_pool(DocumentWriter& out) {
  out.key("segment_pool_id");
  out.value(std::vector<int64_t>{0, 0});
}

void write_segment(const AllocationRecord& record, const AllocatorSegment& segment, DocumentWriter& out) {
  int64_t allocated = 0, active = 0, requested = 0;
  for (const AllocatorBlock& block : segment.blocks) {
    allocated += block.allocated ? block.size : 0;
    active += block.allocated || block.waits ? block.size : 0;
    requested += block.requested;
  }
  out.map([&] {
    out.field("device", int64_t{0});
    out.field("address", shown(segment.address));
    out.field("total_size", segment.size);
    out.field("allocated_size", allocated);
    out.field("active_size", active);
    out.field("requested_size", requested);
    out.field("stream", segment.stream);
    out.field("segment_type", segment.small ? "small" : "large");
    write_pool(out);
    out.field("is_expandable", segment.expandable);
    out.field("frames", std::vector<int64_t>());
    out.list("blocks", segment.blocks, [&](const AllocatorBlock& block) {
      out.map([&] {
        out.field("address", shown(block.address));
        out.field("size", block.size);
        out.field("requested_size", block.requested);
        out.field("state", state_of(block));
        write_frames(record, block.maker, out);
      });
    });
  });
}

const char* name_of(Action action) {
  switch (action) {
    case Action::alloc: return "alloc";
    case Action::free_requested: return "free_requested";
    case Action::free_completed: return "free_completed";
    case Action::segment_alloc: return "segment_alloc";
    case Action::segment_free: return "segment_free";
    case Action::segment_map: return "segment_map";
    case Action::segment_unmap: return "segment_unmap";
  }
  return "";
}

void write_event(const AllocationRecord& record, const AllocationLog::Event& event, DocumentWriter& out) {
  out.map([&] {
    out.field("action", name_of(event.action));
    out.field("addr", shown(event.address));
    out.field("size", event.size);
    out.field("stream", event.stream);
    write_frames(record, event.maker, out);
  });
}

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() > end.size() && std::string_view(text).substr(text.size() - end.size()) == end;
}

}  // namespace

void write_snapshot(const AllocationRecord& record, const AllocatorSettings& settings, DocumentWriter& out) {
  out.map([&] {
    out.list("segments", record.log.segments,
             [&](const AllocatorSegment& segment) { write_segment(record, segment, out); });
    out.key("device_traces");
    out.begin_list();
    out.begin_list();
    for (const AllocationLog::Event& event : record.log.events) {
      write_event(record, event, out);
    }
    out.end_list();
    out.end_list();
    out.map("allocator_settings", [&] {
      out.field("max_split_size", settings.max_split_size > 0 ? settings.max_split_size : int64_t{-1});
      out.field("garbage_collection_threshold", settings.garbage_collection_threshold);
      out.field("expandable_segments", settings.expandable_segments);
    });
    out.field("external_annotations", std::vector<int64_t>());
  });
}

std::string snapshot_file(const std::string& path, const AllocationRecord& record, const AllocatorSettings& settings) {
  const auto write = [&](DocumentWriter& out) { write_snapshot(record, settings, out); };
  if (ends_with(path, ".json")) return json_text(write) + "\n";
  if (ends_with(path, ".pickle") || ends_with(path, ".pkl")) return pickle_of(write);
  throw Error(ErrorCode::usage, fmt::format("{}: a snapshot is .pickle, .pkl or .json", path), {},
              {"https://pytorch.org/memory_viz opens a .pickle"});
}

}  // namespace modelmeter
