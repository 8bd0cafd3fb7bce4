// Builds what a reference recording of DeepSeek-OCR is of: a part of the model, or one forward of the whole, with the
// sizes that the recording names. docs/trace_format.md lists the cases.
#pragma once

#include <memory>

#include "model/analytic_model.h"
#include "recording/recording.h"

namespace modelmeter::deepseek_ocr {

std::unique_ptr<Stage> recorded_stage(const Recording& recording);

}  // namespace modelmeter::deepseek_ocr
