// Layers held to what tools/reference recorded of the modules that they are twins of. A row is a module and a call of
// it; how a row was made is said beside each table.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "cost/rollup.h"
#include "layer/base_layer.h"
#include "testing/calls.h"

namespace modelmeter::testing_calls {

// What a row's call is given: its inputs, and layers, which it makes and the bench keeps.
class Bench : public Inputs {
 public:
  explicit Bench(const Inputs& inputs) : Inputs(inputs) {}

  template <class Layer, class... Args>
  const Layer& make(Args&&... args) {
    auto layer = std::make_shared<const Layer>(std::forward<Args>(args)...);
    layers_.push_back(layer);
    return *layer;
  }
  int64_t parameters() const {
    int64_t sum = 0;
    for (const auto& layer : layers_) sum += layer->parameter_count();
    return sum;
  }

  std::shared_ptr<void> kept;  // what is alive beside the result

 private:
  std::vector<std::shared_ptr<const BaseLayer>> layers_;
};

struct Recorded {
  int64_t parameters, flops, read, written;
  int64_t peak, left;  // live memory above the start: the highest, and at the end with the result
};

struct LayerCall {
  const char* name;
  const char* inputs;
  std::function<Tensor(Bench&)> ours;
  const char* kernels;  // how often each runs
  const char* result;
  Recorded recorded;
  Context context = {};
};

inline void PrintTo(const LayerCall& call, std::ostream* out) { *out << call.name << " of " << call.inputs; }

inline Context under_autocast(DType dtype = DType::bfloat16) {
  Context out;
  out.autocast = {true, dtype};
  return out;
}
inline Context by_matrix_products() {
  Context out;
  out.attention = AttentionKernel::math;
  return out;
}

inline void expect_recorded(const LayerCall& call) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  tracer.context = call.context;
  Bench bench(inputs_of(tracer, call.inputs));
  const Tensor result = call.ours(bench);
  EXPECT_EQ(counts_of(tracer.trace()), call.kernels);
  EXPECT_EQ(shown(result.meta()), call.result);
  const Rollup rollup = roll_up(tracer.trace());
  EXPECT_EQ(bench.parameters(), call.recorded.parameters);
  EXPECT_EQ(rollup.total().flops_torch(), call.recorded.flops);
  EXPECT_EQ(rollup.total().bytes_read, call.recorded.read);
  EXPECT_EQ(rollup.total().bytes_written, call.recorded.written);
  EXPECT_EQ(rollup.peak_live, call.recorded.peak);
  EXPECT_EQ(tracer.live(), call.recorded.left);
}

}  // namespace modelmeter::testing_calls
