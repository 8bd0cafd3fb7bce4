// Merging and updating of configuration trees, as OmegaConf 2.3 does: maps merge key by key, lists and scalars replace,
// "???" never replaces a value, a map onto an interpolation of a map is merged into a copy of what that names.
#pragma once

#include <string>
#include <string_view>

#include "config/interpolation.h"
#include "config/node.h"

namespace modelmeter::config {

// A key that a tree in struct mode does not have. Composition turns it into the message for the override.
class StructError : public Error {
 public:
  using Error::Error;
};

// Merges from into into. With struct_mode, keys that are not there yet are a StructError.
// Throws Error: "Cannot merge DictConfig with ListConfig".
void merge(Node& into, const Node& from, const Resolvers& resolvers, bool struct_mode = false);

struct UpdateOptions {
  bool merge = true;         // a map onto a map is merged, not put in its place
  bool struct_mode = false;  // new keys are a StructError ...
  bool force_add = false;    // ... unless this is set
  Mark key_mark = {};        // of the key as it was written, where it was
};

// Sets the value at a key "a.b.0", making maps on the way. A scalar on the way becomes a map.
void update(Node& root, std::string_view key, const Node& value, const Resolvers& resolvers,
            const UpdateOptions& options = {});

}  // namespace modelmeter::config
