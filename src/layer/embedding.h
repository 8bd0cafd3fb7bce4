// torch.nn.Embedding: rows of a table [num_embeddings, embedding_dim] by their numbers.
#pragma once

#include "layer/base_layer.h"

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
  Tensor forward(Tensor ids) const { return torch::embedding(parameter(0), std::move(ids)); }
};

}  // namespace modelmeter
