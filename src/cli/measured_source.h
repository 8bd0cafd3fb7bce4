// What files of measurements are compared with: the configuration that is given, or none.
#pragma once

#include <optional>

#include "api/measured_files.h"
#include "cli/session.h"

namespace modelmeter::cli {

class MeasuredSource {
 public:
  // `session`: Session::beside_files().
  MeasuredSource(const Arguments& arguments, const std::optional<Session>& session)
      : repository_(session ? session->repository() : repository_of(arguments)),
        context_(context_of({arguments.value("--device"), session ? session->config_name() : "",
                             session ? session->words() : std::vector<std::string>()},
                            repository_)) {}
  MeasuredSource(const MeasuredSource&) = delete;
  MeasuredSource& operator=(const MeasuredSource&) = delete;

  const ValidationContext& context() const { return context_; }

 private:
  const config::Repository repository_;
  const ValidationContext context_;
};

}  // namespace modelmeter::cli
