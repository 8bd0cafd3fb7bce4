// evaluate kernels|timed|sums|recorded TIMES ENTRY [OVERRIDE...]: builds a model once and evaluates it so many times.
// For callgrind and other profilers: the difference of two runs is what evaluations cost, without start-up.
#include <cstdlib>
#include <iostream>

#include "base/error.h"
#include "evaluation.h"

namespace {

template <class Evaluate>
void run(Evaluate evaluate, int times) {
  modelmeter::StageCost cost;
  for (; times > 0; --times) cost = evaluate();
  std::cout << evaluate.ops() << " kernels traced, " << cost.cost.flops_full() << " FLOPs, "
            << cost.activation_peak_bytes << " and " << cost.peak_live_bytes << " bytes\n";
}

}  // namespace

int main(int argc, char** argv) {
  using modelmeter::bench::Evaluator;
  const std::string detail = argc > 1 ? argv[1] : "";
  if (argc < 4 || (detail != "kernels" && detail != "timed" && detail != "sums" && detail != "recorded")) {
    std::cerr << "usage: evaluate kernels|timed|sums|recorded TIMES ENTRY [OVERRIDE...]\n";
    return 2;
  }
  try {
    const Evaluator::Detail how = detail == "sums"    ? Evaluator::Detail::sums
                                  : detail == "timed" ? Evaluator::Detail::timed
                                                      : Evaluator::Detail::kernels;
    const std::vector<std::string> overrides(argv + 4, argv + argc);
    const int times = std::atoi(argv[2]);
    if (detail == "recorded") {
      run(modelmeter::bench::RecordedForward(argv[3], overrides), times);
    } else {
      run(Evaluator(how, argv[3], overrides), times);
    }
  } catch (const modelmeter::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
