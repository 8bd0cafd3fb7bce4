// The memory of a recording's operands in a trace: as its `storages` say, or, where it has none, by what is alive.
//
// Without them a result is in memory of its own, which goes when live memory falls by as much: one block of that size
// if there is one, else the largest that fit, each time the one made last. What an op reads is then in no memory that
// is known: given where a parameter of its module has that shape, or the transpose of it.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "recording/recording.h"
#include "trace/tracer.h"

namespace modelmeter::recordings {

class RecordedStorages {
 public:
  RecordedStorages(const Recording& recording, Tracer& tracer);

  // Of an operand of the op with that number; `output`: it is among its outputs.
  Storage* of(const RecordedTensor& tensor, bool host, bool output, size_t op);
  // Before the operands of an op are asked for, and after.
  void begin(size_t op);
  void end(size_t op);

 private:
  Storage* add(int64_t bytes, int32_t born, Place place);
  int32_t at(int32_t op) const { return op < 0 ? op : op + first_op_; }
  void let_go(int64_t bytes, size_t op);
  bool is_parameter(const RecordedTensor& tensor, const std::string& scope) const;

  const Recording& recording_;
  Tracer& tracer_;
  const int32_t first_op_;          // of the recording, in the trace
  std::vector<Storage*> storages_;  // as Recording::storages
  std::vector<Storage*> alive_;     // of those that are inferred
  int64_t before_ = 0, made_ = 0;   // live memory before the op, and what it made
  int64_t owed_ = 0;                // bytes that went, of no block that is known
  std::unordered_map<std::string, std::vector<const RecordedParameter*>> parameters_;  // by module
};

}  // namespace modelmeter::recordings
