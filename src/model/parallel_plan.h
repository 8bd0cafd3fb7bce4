// How many ranks run a model together and what each of them shares: the `plan` node of the configuration. A trace is
// that of one of them.
//
//   ulysses, ring   ranks that share a sequence (layer/build_context.h)
//   cfg_parallel    ranks that share the branches of guidance
//   fsdp            weights are cut over all ranks and gathered block by block: of the transformer, the text encoder,
//   or
//                   both
//   world_size      all ranks; null: the product of the degrees. What is more than that runs the same again
//
// What of it a code base has is asked by it (wan/code_base.h: check_plan).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "config/access.h"
#include "layer/build_context.h"
#include "trace/context.h"

namespace modelmeter {

struct ParallelPlan {
  ParallelDegrees degrees;
  int64_t world_size = 1, rank = 0;
  bool fsdp_transformer = false, fsdp_text_encoder = false;

  // Of a configuration with such a node or without: one rank then. Errors at the key: unknown ones (with a
  // did-you-mean), numbers that are not positive, a rank that is not among them, a world smaller than the degrees.
  static ParallelPlan read(const config::View& config);

  bool one_rank() const { return world_size == 1; }
  // The first key by which there are several.
  const char* key() const {
    return degrees.ulysses > 1 ? "ulysses"
           : degrees.ring > 1  ? "ring"
           : degrees.cfg > 1   ? "cfg_parallel"
                               : "world_size";
  }
  bool fsdp() const { return fsdp_transformer || fsdp_text_encoder; }
  Rank process() const { return {static_cast<int32_t>(rank), static_cast<int32_t>(world_size)}; }
  // For reports; nothing of one rank.
  Fields fields() const;
  std::string to_string() const;  // "ulysses 4, fsdp (transformer, text_encoder): 4 ranks, this is 0"

  bool operator==(const ParallelPlan&) const = default;
};

// Error at the key where `count` of `what` ("attention heads") do not divide by the degree, with what would.
void check_divides(const config::View& plan, const char* key, int64_t count, const char* what);

}  // namespace modelmeter
