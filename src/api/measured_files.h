// Files of measurements against what is predicted for them: what validate, profile and calibrate ask.
#pragma once

#include <string>
#include <vector>

#include "config/repository.h"
#include "verify/calibration.h"
#include "verify/validation.h"

namespace modelmeter {

struct MeasuredFilesRequest {
  std::string device;                  // "" where the files say which
  std::string config_name;             // "" where a file's name says which, or none
  std::vector<std::string> overrides;  // with config_name
};

// Of configurations in this repository, which must outlive it.
ValidationContext context_of(MeasuredFilesRequest asked, const config::Repository& repository);

// Error for no file, and for one that cannot be read.
Validation validate_files(const std::vector<std::string>& files, const ValidationContext& context);

// With the configs that come along.
Validation validate_files(const std::vector<std::string>& files, const MeasuredFilesRequest& asked);
Calibration calibrate_device(const std::vector<std::string>& files, const std::string& device);

}  // namespace modelmeter
