// JSON documents with integers of up to 128 bits, which nlohmann's numbers do not hold: a Count beyond 64 bits is kept
// in the document as a binary value, which JSON text has no other use for, and is written and read as an integer in
// full. Python's json reads such integers exactly.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/count.h"

namespace modelmeter {

using Json = nlohmann::ordered_json;

// A number where it fits 64 bits. Counts stand in documents by themselves: {{"kernels", count}}.
Json json_of(Count count);
inline void to_json(Json& out, Count count) { out = json_of(count); }
// Nothing where the value is not an integer.
std::optional<Count> count_in(const Json& value);

// The text, as nlohmann's dump(indent).
std::string dump_json(const Json& document, int indent = -1);
// Discarded (is_discarded()) where the text is not JSON. Integers beyond 128 bits are read as floats. Error where it is
// larger than any document of ours: nested more than 64 deep, 1,000 keys in a map, 4 million values.
Json parse_json(const std::string& text);

}  // namespace modelmeter
