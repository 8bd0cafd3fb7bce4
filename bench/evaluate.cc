// evaluate kernels|timed|sums TIMES ENTRY [OVERRIDE...]: builds a model once and evaluates it so many times. For
// callgrind and other profilers: the difference of two runs is what evaluations cost, without start-up.
#include <cstdlib>
#include <iostream>

#include "base/error.h"
#include "evaluation.h"

int main(int argc, char** argv) {
  using modelmeter::bench::Evaluator;
  const std::string detail = argc > 1 ? argv[1] : "";
  if (argc < 4 || (detail != "kernels" && detail != "timed" && detail != "sums")) {
    std::cerr << "usage: evaluate kernels|timed|sums TIMES ENTRY [OVERRIDE...]\n";
    return 2;
  }
  try {
    const Evaluator::Detail how = detail == "sums"    ? Evaluator::Detail::sums
                                  : detail == "timed" ? Evaluator::Detail::timed
                                                      : Evaluator::Detail::kernels;
    Evaluator evaluate(how, argv[3], std::vector<std::string>(argv + 4, argv + argc));
    modelmeter::StageCost cost;
    for (int i = std::atoi(argv[2]); i > 0; --i) cost = evaluate();
    std::cout << evaluate.ops() << " kernels traced, " << cost.cost.flops_full() << " FLOPs, "
              << cost.activation_peak_bytes << " and " << cost.peak_live_bytes << " bytes\n";
  } catch (const modelmeter::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
