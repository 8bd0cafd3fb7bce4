#include "fit/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/format.h"
#include "cost/weight_transfers.h"

namespace modelmeter {
namespace {

using Overrides = FitSearch::Overrides;

std::string value_of(const Fields& fields, const std::string& name) {
  for (const auto& [field, value] : fields) {
    if (field == name) return text_of(value);
  }
  return "";
}

constexpr char code_base[] = "runtime.implementation";

// All that are known, also those that this model has not.
std::vector<FitLevers> known_levers(const AnalyticModel& model) {
  const auto format = [](const char* component) {
    const std::string key = std::string(component) + ".weight_format", what = component;
    return FitLevers{{key, "fp8_e4m3", what + ": weights in float8, cast before each layer"},
                     {key, "bnb_nf4", what + ": weights in 4 bits (NF4)"},
                     {key, "gguf_q4_k", what + ": weights in 4.5 bits (Q4_K)"}};
  };
  std::vector<FitLevers> out = {
      {{code_base, "diffusers", "diffusers' code in place of the official one"},
       {code_base, "official", "the official code in place of diffusers'"}},
      {{"runtime.weight_dtype", "bfloat16", "weights are rounded to bfloat16"}},
      {{"runtime.residency", "offload", "models wait on the host and come when they run"},
       {"runtime.residency", "group", "groups of blocks come when they run"},
       {"runtime.residency", "sequential", "each module's weights come when it runs"}},
      {{"runtime.torch_dtype", "bfloat16", "weights are loaded in 16 bits, not cast on the device"}},
      {{"runtime.t5_cpu", "true", "the text encoder runs on the CPU"}},
      {{"runtime.vae_tiling", "true", "the autoencoder works in tiles, which are blended"}},
  };
  const int64_t blocks = std::atoll(value_of(model.model_fields(), "num_layers").c_str());
  if (blocks > 1) {
    const char* note = "so many blocks of the transformer wait on the host";
    out.push_back({{"runtime.block_swap", std::to_string(blocks / 2), note},
                   {"runtime.block_swap", std::to_string(blocks), note}});
  }
  for (const char* component : {"transformer", "text_encoder", "decoder"}) out.push_back(format(component));
  return out;
}

// An Error that says that a code base or a model has not all of them.
template <class F>
bool is_taken(const F& f) {
  try {
    f();
    return true;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) throw;
    return false;
  }
}

// Those that change something and that the configuration takes, by themselves or with the other code base.
std::vector<FitLevers> levers_of(const ModelOf& model_of) {
  const std::unique_ptr<AnalyticModel> model = model_of({});
  std::vector<FitLevers> out;
  for (const FitLevers& known : known_levers(*model)) {
    FitLevers taken;
    for (const FitLever& lever : known) {
      const std::string field = lever.key.substr(lever.key.rfind("runtime.", 0) == 0 ? 8 : 0);
      if (value_of(model->runtime_fields(), field) == lever.value) continue;
      bool takes = is_taken([&] { model_of({lever.text()}); });
      if (!out.empty() && out.front().front().key == code_base) {
        for (const FitLever& other : out.front()) {
          takes = takes || is_taken([&] { model_of({other.text(), lever.text()}); });
        }
      }
      if (takes) taken.push_back(lever);
    }
    if (!taken.empty()) out.push_back(std::move(taken));
  }
  return out;
}

// Every choice of one value, or none, of each key, fewest changes first and no more than so many.
std::vector<FitChoice> choices_of(const std::vector<FitLevers>& levers, size_t most) {
  std::vector<FitChoice> out = {{}};
  for (const FitLevers& values : levers) {
    const size_t before = out.size();
    for (const FitLever& lever : values) {
      for (size_t k = 0; k < before; ++k) {
        if (out[k].size() == most) continue;
        out.push_back(out[k]);
        out.back().push_back(&lever);
      }
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const FitChoice& a, const FitChoice& b) { return a.size() < b.size(); });
  return out;
}

const FitLever* code_base_of(const FitChoice& choice) {
  const auto at = std::find_if(choice.begin(), choice.end(), [](const FitLever* l) { return l->key == code_base; });
  return at == choice.end() ? nullptr : *at;
}

constexpr size_t most_changes = 4, most_changes_beside_others = 3;
constexpr size_t most_open = 64, most_threads = 8;  // candidates that are kept with their models; side by side
constexpr char expandable[] = "expandable_segments:True";
constexpr char expandable_note[] = "segments grow, so that less lies free between blocks";

bool contains(const Overrides& all, const Overrides& part) {
  return std::all_of(part.begin(), part.end(),
                     [&](const std::string& o) { return std::find(all.begin(), all.end(), o) != all.end(); });
}

bool goes_before(const FitWay& a, const FitWay& b) {
  if (a.seconds && b.seconds && *a.seconds != *b.seconds) return *a.seconds < *b.seconds;
  if (a.copied != b.copied) return a.copied < b.copied;
  return a.typed().size() < b.typed().size();
}

// A part of it fits and is no slower.
bool is_needless(const FitWay& way, const std::vector<FitWay>& fitting) {
  const Overrides typed = way.typed();
  return std::any_of(fitting.begin(), fitting.end(),
                     [&](const FitWay& other) { return !goes_before(way, other) && contains(typed, other.typed()); });
}

// What tensors take alone is below what is allocated for them but for what loops that grow are sampled at.
bool may_fit(const FitWay& way, int64_t capacity) { return way.live - capacity <= capacity / 1000; }

// What StageTime::wall has of weights that move before the stage runs.
double moving_seconds(const Residence& residence, Execution execution, const Machine& machine) {
  const double in = machine.bus(BusMemory::pageable_source), out = machine.bus(BusMemory::pageable_target);
  if (in == 0 || execution == Execution::ideal) return 0;
  return static_cast<double>(residence.arriving_bytes) / in + static_cast<double>(residence.leaving_bytes) / out;
}

}  // namespace

int64_t FitQuestion::capacity() const {
  const int64_t context = stack->cuda_context.value;
  if (memory <= context) {
    throw Error(fmt::format("{} is less than the CUDA context takes, {}", binary_scale(memory).text(memory),
                            binary_scale(context).text(context)));
  }
  return memory - context;
}

std::vector<std::string> FitWay::typed() const {
  std::vector<std::string> out = overrides;
  if (!alloc_conf.empty()) out.push_back("PYTORCH_CUDA_ALLOC_CONF=" + alloc_conf);
  return out;
}

FitSearch::FitSearch(ModelOf model_of, const FitQuestion& question)
    : model_of_(std::move(model_of)),
      question_(question),
      stages_(*question.stack, timer_),
      programs_(*question.stack) {
  if (question.machine != nullptr) timer_.emplace(*question.machine);
}

const std::vector<FitLevers>& FitSearch::levers() {
  if (!levers_) levers_ = levers_of(model_of_);
  return *levers_;
}

FitSearch::Candidate FitSearch::candidate(const Overrides& overrides) {
  tracer_.clear();  // before the model that its scopes are named by is gone
  Candidate out{model_of_(overrides), {}, {}};
  ++evaluated_;
  out.way.overrides = overrides;
  const auto& stages = out.model->stages();
  const bool known =
      std::all_of(stages.begin(), stages.end(), [](const auto& stage) { return stage->identity() != nullptr; });
  known ? add_stages(out) : trace(out);
  return out;
}

// As trace() has it, stage by stage.
void FitSearch::add_stages(Candidate& candidate) {
  FitWay& way = candidate.way;
  double seconds = 0;
  for (size_t i = 0; i < candidate.model->stages().size(); ++i) {
    StageFacts& stage = stages_.of(*candidate.model->stages()[i]);
    candidate.stages.push_back(&stage);
    const Residence residence = candidate.model->residence_of(i, stage.input_bytes);
    const int64_t own = residence.on_device ? stage.peak_live : 0;
    way.live = std::max(way.live, checked_add(residence.given_bytes, own, "live memory"));
    way.copied += Count(residence.loaded_bytes) + Count(residence.arriving_bytes) + Count(residence.leaving_bytes);
    way.on_host |= !residence.on_device;
    if (!residence.on_device) continue;
    way.copied += stage.copied;
    if (timer_) seconds += stage.wall + moving_seconds(residence, candidate.model->execution(), timer_->machine());
  }
  if (timer_) way.seconds = seconds;
}

void FitSearch::trace(Candidate& candidate) {
  candidate.model->trace(tracer_);
  const Trace& trace = tracer_.trace();
  roll_up(trace, rollup_);
  candidate.way.live = rollup_.peak_live_bytes(trace);
  for (const Residence& residence : trace.residences) {
    const WeightTransfers moved = weight_transfers(trace, residence);
    candidate.way.copied += moved.to_device + moved.to_host;
    candidate.way.on_host |= !residence.on_device;
  }
  if (!timer_) return;
  RunTime time;
  time.stages = (*timer_)(trace, rollup_.executions);
  candidate.way.seconds = time.total().wall;
}

void FitSearch::make_programs(const Candidate& candidate) {
  for (size_t i = 0; i < candidate.stages.size(); ++i) {
    if (candidate.model->residents_by_stage()[i].on_device) {
      stages_.program(*candidate.model->stages()[i], *candidate.stages[i]);
    }
  }
}

RunReplay FitSearch::replay_with(Candidate& candidate, AllocatorSettings settings) {
  settings.memory = question_.memory;
  const AnalyticModel& model = *candidate.model;
  RunReplay out;
  if (candidate.stages.empty()) {
    out = replay_run(model, tracer_.trace(), programs_, settings);
  } else {
    std::vector<StageRun> run;
    for (size_t i = 0; i < candidate.stages.size(); ++i) {
      const Stage& stage = *model.stages()[i];
      const Residence residence = model.residence_of(i, candidate.stages[i]->input_bytes);
      const Residents& there = model.residents_by_stage()[i];
      run.push_back({stage.id(), &there, residence.given_bytes - there.bytes(),
                     residence.on_device ? &stages_.program(stage, *candidate.stages[i]) : nullptr});
    }
    out = replay_stages(run, model.loading(), *question_.stack, settings, &runs_);
  }
  candidate.way.allocated = out.peak_allocated;
  candidate.way.reserved = out.peak_reserved;
  candidate.way.retries = out.retries;
  candidate.way.failed = out.failed;
  candidate.way.fits = out.failed.empty();
  return out;
}

// Where it does not fit, what it would need is asked for, and where it ends.
void FitSearch::replay(Candidate& candidate, bool describes_failure) {
  AllocatorSettings settings = question_.settings;
  settings.capacity = question_.capacity();
  settings.expandable_segments |= !candidate.way.alloc_conf.empty();
  RunReplay first = replay_with(candidate, settings);
  if (candidate.way.fits || !describes_failure) return;
  name_failure(*candidate.model, first);
  settings.capacity = 0;
  settings.memory_fraction = 0;
  replay_with(candidate, settings);
  candidate.way.failed = std::move(first.failed);
  candidate.way.retries = first.retries;
  candidate.way.fits = false;
}

FitWay FitSearch::way(const Overrides& overrides) {
  Candidate out = candidate(overrides);
  replay(out, true);
  return std::move(out.way);
}

bool FitSearch::is_refused(const FitChoice& choice) const {
  const FitLever* const on = code_base_of(choice);
  return std::any_of(refused_.begin(), refused_.end(), [&](const FitChoice& refused) {
    const auto has = [&](const FitLever* l) { return std::find(choice.begin(), choice.end(), l) != choice.end(); };
    return code_base_of(refused) == on && std::all_of(refused.begin(), refused.end(), has);
  });
}

// Nothing where it is refused, or where its tensors alone take more than there is.
std::optional<FitSearch::Candidate> FitSearch::candidate(const FitChoice& choice, const Overrides& workload) {
  if (is_refused(choice)) return std::nullopt;
  Overrides overrides = workload;
  for (const FitLever* lever : choice) overrides.push_back(lever->text());
  Candidate out;
  if (!is_taken([&] { out = candidate(overrides); })) {
    refused_.push_back(choice);
    return std::nullopt;
  }
  if (!may_fit(out.way, question_.capacity())) return std::nullopt;
  out.way.notes.resize(workload.size());
  for (const FitLever* lever : choice) out.way.notes.emplace_back(lever->note);
  return out;
}

void FitSearch::let_segments_grow(FitWay& way) const {
  way.alloc_conf = question_.alloc_conf.empty() ? expandable : fmt::format("{},{}", question_.alloc_conf, expandable);
  way.notes.emplace_back(expandable_note);
}

// Ways of as many changes do not make one another needless, so that they are replayed side by side.
std::vector<FitWay> FitSearch::ways() {
  std::vector<FitWay> fitting;
  std::vector<Candidate> open;
  const std::vector<FitChoice> choices = choices_of(levers(), most_changes);
  for (size_t i = 0; i < choices.size(); ++i) {
    std::optional<Candidate> found = candidate(choices[i], {});
    if (found && !is_needless(found->way, fitting)) open.push_back(std::move(*found));
    const bool is_last = i + 1 == choices.size() || choices[i + 1].size() > choices[i].size();
    const bool holds_tracer = !open.empty() && open.back().stages.empty();
    if (!is_last && !holds_tracer && open.size() < most_open) continue;
    replay_all(open, fitting);
    for (Candidate& c : open) {
      if (c.way.fits) fitting.push_back(std::move(c.way));
    }
    open.clear();
  }
  std::stable_sort(fitting.begin(), fitting.end(), goes_before);
  return fitting;
}

void FitSearch::replay_all(std::vector<Candidate>& open, const std::vector<FitWay>& fitting) {
  for (const Candidate& c : open) make_programs(c);
  std::atomic<size_t> next = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (size_t i = next++; i < open.size(); i = next++) replay_either(open[i], fitting);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> pool;
  const size_t threads = std::min<size_t>({open.size(), std::thread::hardware_concurrency(), most_threads});
  pool.reserve(threads);
  try {
    for (size_t i = 1; i < threads; ++i) pool.emplace_back(work);
  } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): as many as the machine gives
  }
  work();
  for (std::thread& thread : pool) thread.join();
  if (failure) std::rethrow_exception(failure);
}

// As it is, and with segments that grow where it does not fit so. Thread-safe of different candidates, their programs
// made.
void FitSearch::replay_either(Candidate& candidate, const std::vector<FitWay>& fitting) {
  replay(candidate, false);
  if (candidate.way.fits || question_.settings.expandable_segments) return;
  let_segments_grow(candidate.way);
  if (!is_needless(candidate.way, fitting)) replay(candidate, false);
}

// All are timed before one is replayed: the first that fits, of those in order, is the answer.
std::optional<FitWay> FitSearch::best_way(const Overrides& workload) {
  const size_t refused_before = refused_.size();
  std::vector<FitWay> open;
  for (const FitChoice& choice : choices_of(levers(), most_changes_beside_others)) {
    const std::optional<Candidate> found = candidate(choice, workload);
    if (!found) continue;
    open.push_back(found->way);
    if (question_.settings.expandable_segments) continue;
    open.push_back(found->way);
    let_segments_grow(open.back());
  }
  refused_.resize(refused_before);  // what this workload alone refuses is not of others
  std::stable_sort(open.begin(), open.end(), goes_before);
  const int64_t evaluated = evaluated_;
  for (FitWay& way : open) {
    Candidate again = candidate(way.overrides);
    evaluated_ = evaluated;
    again.way = std::move(way);
    replay(again, false);
    if (again.way.fits) return std::move(again.way);
  }
  return std::nullopt;
}

std::vector<FitWay> FitSearch::best_of_each(const std::vector<Overrides>& workloads) {
  std::vector<FitWay> out;
  for (const Overrides& workload : workloads) {
    if (std::optional<FitWay> best = best_way(workload)) out.push_back(std::move(*best));
  }
  return out;
}

std::optional<FitWay> FitSearch::largest(const std::vector<Overrides>& workloads) {
  std::vector<Overrides> accepted;
  for (const Overrides& workload : workloads) {
    if (is_taken([&] { model_of_(workload); })) accepted.push_back(workload);
  }
  std::optional<FitWay> best;
  size_t low = 0, high = accepted.size();  // all below `low` fit
  while (low < high) {
    const size_t middle = (low + high) / 2;
    Candidate at = candidate(accepted[middle]);
    if (may_fit(at.way, question_.capacity())) replay(at, false);
    if (at.way.fits) {
      best = std::move(at.way);
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return best;
}

}  // namespace modelmeter
