#include "memory/workspace.h"

#include "base/checked.h"

namespace modelmeter {

int64_t workspace_bytes(const Trace& trace, const Op& op, const Stack& stack) {
  if (info(op.kernel).kind != OpKind::conv) return 0;
  const TensorMeta& input = trace.input(op, 0);
  if (is_channels_last(input.sizes, input.strides())) return 0;
  if (size_of(input.dtype) > stack.convolution.output_copied_up_to.value) return input.bytes;
  return checked_add(input.bytes, trace.output(op, 0).bytes, "the workspace of a convolution");
}

}  // namespace modelmeter
