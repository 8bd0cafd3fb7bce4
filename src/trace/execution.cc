#include "trace/execution.h"

#include "base/error.h"
#include "trace/compulsory.h"
#include "trace/fusion.h"

namespace modelmeter {

void execute(Trace& trace, size_t first, Execution execution) {
  if (execution == Execution::eager) return;
  if (!trace.shared_calls.empty()) throw Error(ErrorCode::internal, "a trace in which calls were shared is eager");
  trace.execution = execution;
  Rewriting rewriting(trace, first);
  if (execution == Execution::compiled) {
    compile(trace, rewriting);
  } else {
    keep_compulsory(trace, rewriting);
  }
  rewriting.finish();
}

}  // namespace modelmeter
