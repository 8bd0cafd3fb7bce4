// What a measured launch takes by the model of timing/, predicted from its own op, shapes and dtypes. A file of
// launches has no strides: operands are taken as contiguous, unless the name of the kernel that ran
// (elementwise_kernel) says that it went by offsets.
#pragma once

#include <optional>
#include <vector>

#include "timing/clock.h"
#include "timing/launches.h"
#include "verify/launch_file.h"

namespace modelmeter {

// Of the op that launched it; of one that is no op of ours, elementwise.
OpKind op_kind_of(const MeasuredLaunch& launch);

// Fills in what convolutions make: the file has neither strides nor paddings, but what is launched next takes the
// output.
void infer_outputs(std::vector<MeasuredLaunch>& launches);

// The device kernels of a launch; nothing where the op is none that modelmeter's traces know.
std::optional<std::vector<DeviceKernel>> kernels_of(const MeasuredLaunch& launch, const Machine& machine);

}  // namespace modelmeter
