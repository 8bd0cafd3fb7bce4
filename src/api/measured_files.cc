#include "api/measured_files.h"

#include "api/data_root.h"
#include "base/error.h"

namespace modelmeter {

ValidationContext context_of(MeasuredFilesRequest asked, const config::Repository& repository) {
  return {repository,
          {find_data_root()},
          std::move(asked.device),
          std::move(asked.config_name),
          std::move(asked.overrides)};
}

Validation validate_files(const std::vector<std::string>& files, const ValidationContext& context) {
  if (files.empty()) throw Error(ErrorCode::usage, "which files? validate FILE ...");
  Validation all;
  for (const std::string& file : files) all.add(validate_file(file, context));
  return all;
}

Validation validate_files(const std::vector<std::string>& files, const MeasuredFilesRequest& asked) {
  const config::Repository repository(find_data_root() + "/configs");
  return validate_files(files, context_of(asked, repository));
}

Calibration calibrate_device(const std::vector<std::string>& files, const std::string& device) {
  const config::Repository repository(find_data_root() + "/configs");
  return calibrate(files, context_of({device, "", {}}, repository));
}

}  // namespace modelmeter
