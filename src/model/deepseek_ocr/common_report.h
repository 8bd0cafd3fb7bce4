// What reports of DeepSeek-OCR and of DeepSeek-OCR-2 have in common: facts, notes, categories, the node of the decoder
// layers, the metadata node of the configuration.
#pragma once

#include <string>
#include <vector>

#include "model/analytic_model.h"
#include "model/data_files.h"
#include "model/deepseek_ocr/architecture.h"
#include "model/deepseek_ocr/workload.h"

namespace modelmeter::deepseek_ocr {

// The `hf` node: what the model is called, and where its config.json is.
struct Identity {
  std::string model_id, model_variant, notes;
  std::string config_file;  // absolute

  static Identity read(const config::View& hf, const DataFiles& files);
};

inline constexpr char decoder_layers_id[] = "decoder/deepseek_v2_decoder_layer";

// The report's DeepSeekOCRModelSpec; config_path is the folder.
Fields model_facts(const Identity& identity, const DecoderArchitecture& d, int64_t active_parameters, DType dtype);

// What is seen of a page; how many tokens come out of which forward, and whether there are positions for them.
std::string page_note(const Workload& w);
std::vector<std::string> token_notes(const Workload& w, const DecoderArchitecture& d);

// The forerunner's rules, in its order: a part of the class name decides.
std::vector<OperatorCategory> operator_categories();

// Of a run whose stages are functions in `scope`: each has the weights and inputs of the whole.
void add_residences(Trace& trace, int32_t scope);

// What prefill or decode adds to the KV cache of one batch.
int64_t cache_bytes_added(const std::string& stage, const Workload& w, const DecoderArchitecture& d, DType dtype);

// Weights that one token uses, of those of the decoder with head and embedding table: all but the experts that it is not
// routed to and the table.
int64_t active_decoder_parameters(int64_t parameters, const DecoderArchitecture& d);

// All decoder layers together, of this class.
NodeGroup decoder_layers(const std::string& klass, const DecoderArchitecture& d, const Workload& w);

}  // namespace modelmeter::deepseek_ocr
