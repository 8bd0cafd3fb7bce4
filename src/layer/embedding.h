// torch.nn.Embedding: rows of a table [num_embeddings, embedding_dim] by their numbers.
#pragma once

#include "layer/layerwise_cast.h"

namespace modelmeter {

struct EmbeddingOptions {
  int64_t num_embeddings;
  int64_t embedding_dim;
};

class Embedding : public Module<Embedding> {
 public:
  static constexpr bool pure = true;

  Embedding(const BuildContext& context, const EmbeddingOptions& options) : Module("Embedding") {
    register_parameter("weight", {options.num_embeddings, options.embedding_dim}, context);
  }
  Tensor weight() const { return parameter(0); }
  Tensor forward(Tensor ids) const {
    if (is_stored_otherwise()) {
      LayerwiseCast cast(*this);
      Tensor out = torch::embedding(cast.tensors()[0], std::move(ids));
      cast.end();
      return out;
    }
    return torch::embedding(parameter(0), std::move(ids));
  }

 protected:
  bool can_be_stored_as(const StoredAs& as) const override {
    return as.format != nullptr && as.format->is_cast() && as.lora_rank == 0;
  }
};

}  // namespace modelmeter
