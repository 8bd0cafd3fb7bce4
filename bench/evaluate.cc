// evaluate TIMES ENTRY [OVERRIDE...]: builds a model once and evaluates it so many times. For callgrind and other
// profilers: the difference of two runs is what evaluations cost, without start-up.
#include <cstdlib>
#include <iostream>

#include "base/error.h"
#include "evaluation.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: evaluate TIMES ENTRY [OVERRIDE...]\n";
    return 2;
  }
  try {
    modelmeter::bench::Evaluator evaluate(argv[2], std::vector<std::string>(argv + 3, argv + argc));
    modelmeter::StageCost cost;
    for (int i = std::atoi(argv[1]); i > 0; --i) cost = evaluate();
    std::cout << evaluate.ops() << " kernels traced, " << cost.cost.flops_full() << " FLOPs\n";
  } catch (const modelmeter::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
