// Profiles of real runs, as tools write them:
//
//   torch.profiler    export_chrome_trace(): JSON, gzipped or not. Kernels are joined with the innermost ATen op on the
//                     CPU that launched them (by correlation), its "Input Dims" and "Input type" (record_shapes=True),
//                     and the module that it ran in (with_stack=True). Of several ProfilerStep, the last; of several
//                     devices, that with most kernels.
//   Nsight Systems    nsys stats --report cuda_gpu_trace --format csv, or nsys export --type sqlite
//   Nsight Compute    ncu --csv, with a duration of each kernel (gpu__time_duration.sum), page raw or details
//
// and files of launches of our own (launch_file.h). Nsight's have neither ops nor shapes: their launches have what
// their kernel's name tells, "(matmul)" (forward_launches.h), and what goes with a kernel (conversions of layout around
// a convolution, sums of a split k, memset) is taken as part of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "verify/launch_file.h"

namespace modelmeter {

struct Profile {
  std::string path;
  std::string source;                           // "torch.profiler", "Nsight Systems", "Nsight Compute", "launches"
  std::string device_name;                      // as the driver calls it; "" where it does not say
  std::map<int64_t, std::string> device_names;  // by number, where it has those of all
  bool has_ops = true;
  std::vector<MeasuredLaunch> launches;  // in the order in which they ran
  std::vector<std::string> notes;
};

// By its content. Error for a file that is none of these, is broken, or has no kernels of a device.
Profile read_profile(const std::string& path);

// The option of configs/device of a driver's name ("NVIDIA H100 80GB HBM3"); "" where none is known.
std::string device_of_name(const std::string& name);

// The file of launches (launch_file.h) of a profile.
std::string launch_file_text(const std::vector<MeasuredLaunch>& launches);

}  // namespace modelmeter
