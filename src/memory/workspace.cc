#include "memory/workspace.h"

#include "base/checked.h"

namespace modelmeter {

int64_t workspace_bytes(const Trace& trace, const Op& op, const Stack& stack) {
  if (info(op.kernel).kind != OpKind::conv) return 0;
  const TensorMeta& input = trace.input(op, 0);
  if (is_channels_last(input.sizes, input.strides())) return 0;
  constexpr char what[] = "the workspace of a convolution";
  const int64_t copies = checked_add(input.bytes, trace.input(op, 1).bytes, what);
  if (size_of(input.dtype) > stack.convolution.output_copied_up_to.value) return copies;
  return checked_add(copies, trace.output(op, 0).bytes, what);
}

}  // namespace modelmeter
