// What each code of DeepSeek-OCR makes: one record each, remote::code_base() for DeepSeek-OCR's own and
// transformers::code_base() for DeepSeek-OCR-2 in transformers. The registry asks the records and knows no code by
// name. A third is a folder with its twins, its model and its record, and a line in code_base.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/analytic_model.h"
#include "model/data_files.h"
#include "recording/recording.h"

namespace modelmeter::deepseek_ocr {

struct CodeBase {
  std::string_view name;  // in runtime.implementation, and in recordings
  std::string target;     // in model._target_
  std::unique_ptr<AnalyticModel> (*build)(const config::View& config, const DataFiles& files);

  // Stages that run by themselves (model.stages), in the order of a pipeline, and those that are forwards of the whole
  // model.
  std::vector<std::string> stages, whole_forwards;

  std::vector<std::string> recorded_classes;  // of the root modules of recordings
  config::Node (*configuration_of)(const Recording& recording);
  std::vector<std::string> nodes;  // of the configuration that it reads, beside those of every model
};

std::vector<const CodeBase*> code_bases();

}  // namespace modelmeter::deepseek_ocr
