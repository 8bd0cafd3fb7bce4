// evaluate kernels|timed|sums|recorded|replay|fit TIMES ENTRY [OVERRIDE...]: builds a model once and evaluates it so
// many times, reads and analyses a recording of its forward, replays its allocations, or asks what makes it fit. For
// callgrind and other profilers: the difference of two runs is what that costs, without start-up.
#include <cstdlib>
#include <iostream>

#include "base/error.h"
#include "evaluation.h"
#include "fit_search.h"

namespace {

using namespace modelmeter::bench;

template <class Evaluate>
void evaluate_times(Evaluate& evaluate, int times) {
  modelmeter::StageCost cost;
  for (; times > 0; --times) cost = evaluate();
  std::cout << evaluate.ops() << " kernels traced, " << cost.cost.flops_full() << " FLOPs, "
            << cost.activation_peak_bytes << " and " << cost.peak_live_bytes << " bytes\n";
}

void evaluate(Evaluator::Detail how, int times, const std::string& name, const std::vector<std::string>& overrides) {
  Evaluator evaluate(how, name, overrides);
  evaluate_times(evaluate, times);
}

void recorded(int times, const std::string& name, const std::vector<std::string>& overrides) {
  RecordedForward forward(name, overrides);
  evaluate_times(forward, times);
}

void replay(int times, const std::string& name, const std::vector<std::string>& overrides) {
  Replayer replay(name, overrides);
  modelmeter::RunReplay run;
  for (; times > 0; --times) run = replay();
  std::cout << run.peak_allocated << " bytes allocated, " << run.peak_reserved << " reserved\n";
}

void fit(int times, const std::string& name, const std::vector<std::string>& overrides) {
  FitSearchOnce search(name, overrides);
  int64_t ways = 0;
  for (; times > 0; --times) ways = search();
  std::cout << ways << " ways\n";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string detail = argc > 3 ? argv[1] : "";
  const std::vector<std::string> overrides(argv + (argc > 4 ? 4 : argc), argv + argc);
  try {
    const int times = argc > 3 ? std::atoi(argv[2]) : 0;
    if (detail == "kernels") {
      evaluate(Evaluator::Detail::kernels, times, argv[3], overrides);
    } else if (detail == "timed") {
      evaluate(Evaluator::Detail::timed, times, argv[3], overrides);
    } else if (detail == "sums") {
      evaluate(Evaluator::Detail::sums, times, argv[3], overrides);
    } else if (detail == "recorded") {
      recorded(times, argv[3], overrides);
    } else if (detail == "replay") {
      replay(times, argv[3], overrides);
    } else if (detail == "fit") {
      fit(times, argv[3], overrides);
    } else {
      std::cerr << "usage: evaluate kernels|timed|sums|recorded|replay|fit TIMES ENTRY [OVERRIDE...]\n";
      return 2;
    }
  } catch (const modelmeter::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
