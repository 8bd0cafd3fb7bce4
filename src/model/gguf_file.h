// The header of a GGUF file: its tensors with types, sizes and places. The data are not read; where any are behind the
// header, what it says is checked against the file's size (one may take a header by itself).
//
// Source: ggml/docs/gguf.md (versions 2 and 3, little endian); block sizes: ggml-common.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace modelmeter {

struct GgufTensor {
  std::string name;
  std::vector<int64_t> sizes;  // as torch has them: the innermost last
  uint32_t type;               // ggml_type
  std::string type_name;       // "Q4_K"
  int64_t offset, bytes;       // from the start of the data
};

struct GgufFile {
  std::string path, architecture;  // general.architecture, or ""
  int64_t data_offset = 0;         // of the data in the file
  int64_t file_size = 0;
  std::vector<GgufTensor> tensors;

  int64_t tensor_bytes() const;
};

// Error, with the offset, for a file that is no GGUF, is cut or says what cannot be: sizes that overflow, tensors that
// end behind the file or lie in each other, types that nobody has.
GgufFile read_gguf(const std::string& path);

}  // namespace modelmeter
