// Oracle: the same loop traced iteration by iteration.
#include "cost/executions.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "cost/op_cost.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

struct LoopShape {
  int64_t iterations, layers, heads, start, head_size;
};

// Autoregressive attention: each iteration appends to a key and a value cache of `layers` layers.
void decode(const LoopShape& s, bool fold) {
  Tracer& tracer = Tracer::current();
  const Tensor x = tracer.input({1, s.heads, 1, s.head_size}, DType::bfloat16);
  std::vector<Tensor> keys, values;
  for (int64_t i = 0; i < s.layers; ++i) {
    keys.push_back(tracer.allocate({1, s.heads, s.start, s.head_size}, DType::bfloat16));
    values.push_back(tracer.allocate({1, s.heads, s.start, s.head_size}, DType::bfloat16));
  }
  const auto token = [&](int64_t) {
    const Tensor y = alike([&] { return torch::silu(x); });
    for (int64_t i = 0; i < s.layers; ++i) {
      Tensor& k = keys[static_cast<size_t>(i)];
      Tensor& v = values[static_cast<size_t>(i)];
      k = torch::cat({k, y}, 2);
      v = torch::cat({v, y}, 2);
      torch::matmul(y.view({s.heads, 1, s.head_size}),
                    k.view({s.heads, k.sizes()[2], s.head_size}).transpose(1, 2));  // a view with strides that grow
      torch::scaled_dot_product_attention(y, k, v);
    }
  };
  LoopState state;
  for (Tensor& k : keys) state.growing.push_back(&k);
  for (Tensor& v : values) state.growing.push_back(&v);
  if (fold) return repeat_steadily(s.iterations, state, token);
  for (int64_t i = 0; i < s.iterations; ++i) token(i);
}

struct Traced {
  Traced(const LoopShape& shape, bool fold) {
    Tracer::Guard guard(tracer);
    decode(shape, fold);
  }
  const Trace& trace() const { return tracer.trace(); }
  Tracer tracer;
};

void expect_same(const Launch& a, const Launch& b) {
  RC_ASSERT(a.kernel == b.kernel);
  RC_ASSERT(a.inputs == b.inputs);
  RC_ASSERT(a.outputs == b.outputs);
  for (int i = 0; i < a.inputs + a.outputs; ++i) {
    const TensorMeta &x = *a.operands[i], &y = *b.operands[i];
    RC_ASSERT(x.sizes == y.sizes);
    RC_ASSERT(x.strides() == y.strides());
    RC_ASSERT(x.dtype == y.dtype);
    RC_ASSERT(x.numel == y.numel);
    RC_ASSERT(x.bytes == y.bytes);
    RC_ASSERT(x.offset == y.offset);
  }
  for (int i = 0; i < 3; ++i) RC_ASSERT(a.params[i] == b.params[i]);
  const OpCost c = cost_of(a), d = cost_of(b);
  RC_ASSERT(c.flops_tensor == d.flops_tensor);
  RC_ASSERT(c.flops_vector == d.flops_vector);
  RC_ASSERT(c.bytes_read == d.bytes_read);
  RC_ASSERT(c.bytes_written == d.bytes_written);
}

LoopShape any_shape() {
  return {*rc::gen::inRange<int64_t>(1, 20), *rc::gen::inRange<int64_t>(1, 4), *rc::gen::inRange<int64_t>(1, 4),
          *rc::gen::inRange<int64_t>(1, 9), 2 * *rc::gen::inRange<int64_t>(1, 9)};
}

// The op of the plain trace that is iteration k of the folded trace's op i. An op that precedes the loop's scope, where
// the first iterations were not steady, stands for itself.
const Op& plain_op(const Trace& folded, const Trace& plain, size_t i, int64_t k) {
  const Op& op = folded.ops[i];
  if (op.scope == 0 || folded.scopes[static_cast<size_t>(op.scope)].count == 1) return plain.ops[i];
  size_t first = i, end = i;
  while (first > 0 && folded.ops[first - 1].scope == op.scope) --first;
  while (end < folded.ops.size() && folded.ops[end].scope == op.scope) ++end;
  return plain.ops[i + static_cast<size_t>(k) * (end - first)];
}

RC_GTEST_PROP(OpAt, IsTheOpOfThatIteration, ()) {
  const LoopShape shape = any_shape();
  const Traced folded(shape, true), plain(shape, false);
  for (size_t i = 0; i < folded.trace().ops.size(); ++i) {
    const Op& op = folded.trace().ops[i];
    for (int64_t k = 0; k < folded.trace().executions(op.scope); ++k) {
      const OpAtIteration at = op_at(folded.trace(), op, k);
      const Op& expected = plain_op(folded.trace(), plain.trace(), i, k);
      expect_same(at.launch(), launch_of(plain.trace(), expected));
      if (op.last >= 0) RC_ASSERT(at.live() == expected.live);
    }
  }
}

RC_GTEST_PROP(ForEachExecution, SumsToThePlainTrace, ()) {
  const LoopShape shape = any_shape();
  const Traced folded(shape, true), plain(shape, false);
  const auto flops = [&](const Trace& trace) {
    Count sum;
    for_each_execution(trace, [&](const Executions& e) {
      sum += e.sum([&](const Op& op) { return cost_of(trace, op).flops_tensor; });
    });
    return sum;
  };
  const auto times = [](const Trace& trace) {
    Count sum;
    for_each_execution(trace, [&](const Executions& e) { sum += e.times; });
    return sum;
  };
  RC_ASSERT(flops(folded.trace()) == flops(plain.trace()));
  RC_ASSERT(times(folded.trace()) == Count(plain.trace().ops.size()));
}

// Not linear, as time is not: at least 3000 ns a kernel, and its bytes above that.
int64_t nanoseconds(const Launch& op) { return std::max<int64_t>(3000, cost_of(op).bytes_read * 7); }

template <class F>
Count sum_over_run(const Trace& trace, const F& f) {
  Count sum;
  for_each_execution(trace, [&](const Executions& e) { sum += f(e); });
  return sum;
}

RC_GTEST_PROP(SumOverIterations, IsExactForWhatIsNotLinear, ()) {
  const LoopShape shape = any_shape();
  const Traced folded(shape, true), plain(shape, false);
  const auto sum = [](const Trace& trace) {
    return sum_over_run(trace, [&](const Executions& e) { return sum_over_iterations(trace, e, nanoseconds); });
  };
  RC_ASSERT(sum(folded.trace()) == sum(plain.trace()));
  RC_ASSERT(sum(plain.trace()) == sum_over_run(plain.trace(), [&](const Executions& e) {
              return Count(nanoseconds(launch_of(plain.trace(), e.op)));
            }));
}

RC_GTEST_PROP(SumOfPolynomial, IsExactFromAFewIterations, ()) {
  const LoopShape shape = any_shape();
  const Traced folded(shape, true), plain(shape, false);
  const auto cube = [](const Launch& op) {
    const Count bytes = cost_of(op).bytes_read;
    return bytes * bytes * bytes + bytes;
  };
  const Count expected =
      sum_over_run(plain.trace(), [&](const Executions& e) { return cube(launch_of(plain.trace(), e.op)); });
  RC_ASSERT(sum_over_run(folded.trace(), [&](const Executions& e) {
              return sum_of_polynomial(folded.trace(), e, 3, cube);
            }) == expected);
}

TEST(SumOverIterations, HalfOfFirstAndLastIsWrongForWhatIsNotLinear) {
  const LoopShape shape{19, 1, 2, 1, 16};
  const Traced folded(shape, true);
  const Trace& trace = folded.trace();
  const Count exact =
      sum_over_run(trace, [&](const Executions& e) { return sum_over_iterations(trace, e, nanoseconds); });
  const Count half = sum_over_run(trace, [&](const Executions& e) {
    return e.sum([&](const Op& op) { return nanoseconds(launch_of(trace, op)); });
  });
  EXPECT_NE(exact, half);
}

TEST(SumOverIterations, OfADoubleIsInItsOwnType) {
  const Traced folded({5, 1, 2, 3, 16}, true);
  double seconds = 0;
  for_each_execution(folded.trace(), [&](const Executions& e) {
    seconds += sum_over_iterations(folded.trace(), e, [](const Launch&) { return 0.5; });
  });
  EXPECT_DOUBLE_EQ(seconds, 0.5 * 5 * 5);
}

TEST(ExecutionsOfScopes, MultipliesTheCountsUpToTheRoot) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  tracer.enter_repetition(3);
  const int32_t inner = tracer.enter_repetition(5);
  torch::neg(tracer.allocate({4}, DType::float32));
  tracer.leave();
  tracer.leave();
  const std::vector<int64_t> executions = executions_of_scopes(tracer.trace());
  EXPECT_EQ(executions[0], 1);
  EXPECT_EQ(executions[static_cast<size_t>(inner)], 15);
  for_each_execution(tracer.trace(), [](const Executions& e) {
    EXPECT_EQ(e.times, 15);
    EXPECT_EQ(e.last, nullptr);
    EXPECT_EQ(e.index, 0);
  });
}

}  // namespace
}  // namespace modelmeter
