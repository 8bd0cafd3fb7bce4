// What Hydra does around a job: its folder with .hydra/*.yaml and a log, its environment, its working directory. A run
// has such a folder where hydra.run.dir says which (hydra.output_subdir, hydra.job.chdir need it); then its report goes
// there too, under the folder's name. Without it a report goes where configs/report says, and nothing else is written.
#pragma once

#include <optional>
#include <string>

#include "config/compose.h"

namespace modelmeter::cli {

// Error at a setting of the hydra node that nothing here follows: Python's loggers and callbacks.
void require_followed(const config::Node& hydra);

// The value of a key of the hydra node as text, interpolations replaced: "sweep.dir". "" where it is null or not there;
// Error where it has no value yet.
std::string hydra_text(const config::Composition& composition, const std::string& key);
// hydra.job.env_set. Error where a variable cannot be set.
void set_environment(const config::Composition& composition);
// hydra.job.chdir.
bool changes_directory(const config::Composition& composition);

// hydra.run.dir as it was given, where it was.
std::optional<std::string> run_dir_of(const config::Composition& composition);
// hydra.runtime.output_dir says where that is.
void place_output(config::Composition& composition, const std::string& folder);

// config.yaml, hydra.yaml and overrides.yaml in hydra.output_subdir of a folder, which is made; nothing where that is
// null.
void write_hydra_files(const config::Composition& composition, const std::string& folder);

// The file of the job's log in a folder; nothing where hydra.job_logging writes none.
std::optional<std::string> log_file_of(const config::Composition& composition);

// A run begins: the mode, the folder, the log, the environment, the working directory; its report goes there. Before
// the configuration is resolved, which may read the environment.
void begin_run(config::Composition& composition);

}  // namespace modelmeter::cli
