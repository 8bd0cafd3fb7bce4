// The memory of a stage's operands in a trace: as the recording's `storages` say, or, where it has none, by what is
// alive. What stages before left is the memory that they made where they are in the same trace (Trace::of_stages); of a
// stage by itself it is given.
//
// A stage that runs several times finds memory as it found it first: what it leaves takes the place of what it lets go
// of stages before (a cache that it makes anew); what takes no such place goes when it ends.
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
  // `before`: live memory before the stage's first op, of the trace.
  RecordedStorages(const Recording& recording, const RecordedStage& stage, Tracer& tracer, int64_t before);
  RecordedStorages(const RecordedStorages&) = delete;
  RecordedStorages& operator=(const RecordedStorages&) = delete;

  // After the last op, in the scope of the stage's repetitions.
  void end_stage();

  // Of an operand of the op with that number; `output`: it is among its outputs.
  Storage* of(const RecordedTensor& tensor, bool host, bool output, size_t op);
  // Before the operands of an op are asked for, and after.
  void begin(size_t op);
  void end(size_t op);

 private:
  Storage* add(int64_t bytes, int32_t born, Place place);
  int32_t at(size_t op) const { return static_cast<int32_t>(op - stage_.first) + first_op_; }
  void take_over(size_t number, Storage*& shared);
  // Whether it is there before the stage's first op, after its last.
  bool is_there_before(const RecordedStorage& s) const;
  bool is_there_after(const RecordedStorage& s) const;
  void let_go(int64_t bytes, size_t op);
  bool is_parameter(const RecordedTensor& tensor, const std::string& scope) const;

  const Recording& recording_;
  Tracer& tracer_;
  const RecordedStage& stage_;
  const int32_t first_op_;          // of the stage, in the trace
  std::vector<Storage*> storages_;  // as Recording::storages; null: not there while the stage runs
  std::vector<Storage*> alive_;     // of those that are inferred
  int64_t before_ = 0, made_ = 0;   // live memory before the op, and what it made
  int64_t owed_ = 0;                // bytes that went, of no block that is known
  std::unordered_map<std::string, std::vector<const RecordedParameter*>> parameters_;  // by module
};

}  // namespace modelmeter::recordings
