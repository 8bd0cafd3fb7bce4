// What reading an operand and writing a result costs in bytes, by how their elements lie: memory is read in sectors of
// 32 bytes, so that an element out of order brings its neighbours with it.
#pragma once

#include "timing/machine.h"
#include "trace/tensor.h"

namespace modelmeter {

// Whether both are dense and have their elements in the same order.
bool one_layout(const TensorMeta& a, const TensorMeta& b);

// Bytes that L2 delivers of an operand, element by element of `out`.
double sector_bytes(const TensorMeta& t, const TensorMeta& out);

// Bytes that memory delivers: what a transposed tensor has in a sector is read before L2 loses it, unless too much lies
// between; what lies between the elements of a slice comes with them.
double read_bytes(const TensorMeta& t, const TensorMeta& out, const Machine& machine);

// Bytes that writing it costs: every second element of a tensor takes all its sectors.
double written_bytes(const TensorMeta& t);

}  // namespace modelmeter
