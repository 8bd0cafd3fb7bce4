// Builds what a reference recording of DeepSeek-OCR-2 is of, with the sizes that the recording names: the images, the
// prompt's forward or one decode step (`workload.case`: vision, prefill, decode).
#pragma once

#include <memory>

#include "model/analytic_model.h"
#include "recording/recording.h"

namespace modelmeter::deepseek_ocr::transformers {

std::unique_ptr<Stage> recorded_part(const Recording& recording);

}  // namespace modelmeter::deepseek_ocr::transformers
