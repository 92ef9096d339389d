// The measuring program: two generated kernels, the incumbent and the candidate, in one executable. Checks
// the candidate against the incumbent bit for bit and against the reference, then times both in turn. Linked
// statically at tuning time, so that it runs wherever it is copied to; prints one result line.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "bench.h"
#include "hardware_counters.h"
#include "last_words.h"
#include "layer_bench.h"
#include "machine.h"
#include "model.h"
#include "reference/reference_family.h"
#include "result_line.h"
#include "sampling.h"
#include "shape_fields.h"
#include "surroundings.h"
#include "training_bench.h"
#include "weight_types.h"

extern "C" {
extern const lookupffn_kernel_library incumbent_kernel_library, candidate_kernel_library;
}

namespace lookupffn {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  }
  return out + "\"";
}

std::string status_body(const char* status, const std::string& reason) {
  return std::string("{\"status\":\"") + status + "\",\"reason\":" + quoted(reason) + "}";
}

std::string list(const std::vector<double>& values) {
  std::string out = "[";
  char text[32];
  for (size_t i = 0; i < values.size(); ++i) {
    std::snprintf(text, sizeof text, "%s%.6g", i == 0 ? "" : ",", values[i]);
    out += text;
  }
  return out + "]";
}

// ,"counters":{"cycles":12.5,...} of the candidate, a token; or why there are none.
std::string counters_text(Bench& bench, const MeasureOptions& options, size_t calls, Surroundings& surroundings) {
  if (!bench.runs_alone()) return ",\"no_counters\":\"counters would count the other kernels of a step, too\"";
  if (surroundings.evicts()) return ",\"no_counters\":\"counters would count what evicts the tables, too\"";
  if (options.threads > 1) return ",\"no_counters\":\"counters count one thread\"";
  HardwareCounters counters(system_counters());
  if (!counters.missing().empty()) return ",\"no_counters\":" + quoted(counters.missing());
  bench.time(kCandidate, 1, surroundings);
  const std::map<std::string, double> counts = counters.count([&] { bench.time(kCandidate, calls, surroundings); });
  std::string text;
  char number[48];
  for (const auto& [name, count] : counts) {
    std::snprintf(number, sizeof number, ":%.6g", count / double(calls * options.tokens));
    text += (text.empty() ? "" : ",") + quoted(name) + number;
  }
  return ",\"counters\":{" + text + "}";
}

double now_seconds() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// NAME=VALUE words, as measurement.cc writes them.
MeasureOptions parse_options(int argc, char** argv) {
  std::map<std::string, std::string> pairs;
  for (int i = 1; i < argc; ++i) {
    const char* equals = std::strchr(argv[i], '=');
    if (equals == nullptr) throw std::runtime_error(std::string("'") + argv[i] + "' is not NAME=VALUE");
    pairs[std::string(argv[i], static_cast<size_t>(equals - argv[i]))] = equals + 1;
  }
  const auto take = [&](const char* name) {
    const auto it = pairs.find(name);
    if (it == pairs.end()) throw std::runtime_error(std::string(name) + "=... is missing");
    const std::string value = it->second;
    pairs.erase(it);
    return value;
  };
  const auto number = [&](const char* name) { return static_cast<size_t>(std::strtoull(take(name).c_str(), nullptr, 10)); };
  MeasureOptions options;
  options.family = take("family");
  options.kernel = take("kernel");
  options.isa = take("isa");
  options.shape = take_shape(&pairs);
  options.shape.family = reference::reference_family(options.family).name;
  options.table_type = weight_type_of(take("table_type")).type;
  options.projection_type = weight_type_of(take("projection_type")).type;
  options.tokens = std::max<size_t>(1, number("tokens"));
  options.threads = std::max<size_t>(1, number("threads"));
  const ObjectiveRow* objective = find_objective(take("objective"));
  if (objective == nullptr) throw std::runtime_error("objective=... is none that is known");
  options.objective = objective->objective;
  options.seed = number("seed");
  options.most_samples = static_cast<int>(number("samples"));
  options.seconds = std::strtod(take("seconds").c_str(), nullptr);
  options.good = std::strtod(take("good").c_str(), nullptr);
  options.time_limit = std::strtod(take("time_limit").c_str(), nullptr);
  options.may_end_early = number("end_early") != 0;
  if (!pairs.empty()) throw std::runtime_error("'" + pairs.begin()->first + "' is not known");
  return options;
}

constexpr size_t kMostCalls = 20000, kColdCalls = 4;  // of a sample

// A random layer in which the kernels are called.
std::unique_ptr<Bench> make_bench(const MeasureOptions& options) {
  const reference::ReferenceFamily& family = reference::reference_family(options.family);
  const reference::Stage stage = family.stage(options.kernel);
  const std::vector<uint8_t> bytes = family.random_model(options.shape, options.seed);
  lookupffn_model* model = nullptr;
  must(lookupffn_model_open_memory(bytes.data(), bytes.size(), &model), "opening the model");
  lookupffn_threads* threads = nullptr;
  must(lookupffn_threads_create(options.threads, &threads), "starting threads");
  // Model and threads are there until the program ends.
  if (stage == reference::Stage::kTraining) {
    return std::make_unique<TrainingBench>(options, family.training_twin(find_layer(model, "")), incumbent_kernel_library,
                                           candidate_kernel_library, threads);
  }
  return std::make_unique<LayerBench>(options, stage, family, model, incumbent_kernel_library, candidate_kernel_library,
                                      threads);
}

std::string measure(const MeasureOptions& options) {
  const std::unique_ptr<Bench> made = make_bench(options);
  Bench& bench = *made;
  try {
    bench.check();
  } catch (const Incorrect&) {
    throw;
  } catch (const std::exception& error) {
    throw Incorrect(error.what());
  }

  const Machine machine = this_machine();
  Surroundings surroundings(options.objective, machine, options.threads);
  // A sample takes about a millisecond, and one call at least.
  const auto call_ns = [&](Contender contender) {
    std::vector<double> ns;  // three, as the clock may jump in one
    for (int i = 0; i < 3; ++i) ns.push_back(bench.time(contender, 1, surroundings));
    return median(ns);
  };
  const double one_call = std::max({100.0, call_ns(kIncumbent), call_ns(kCandidate) / 4});  // the hopeless cost little time
  // Emptying the caches takes longer than many a call.
  const size_t most_calls = !bench.runs_alone() ? 1 : surroundings.evicts() ? kColdCalls : kMostCalls;
  const size_t calls = std::clamp<size_t>(static_cast<size_t>(1.2e6 / one_call), 1, most_calls);
  SamplingOptions sampling;
  sampling.most_samples = options.most_samples;
  sampling.seconds = options.seconds;
  sampling.good = options.good;
  sampling.may_end_early = options.may_end_early;
  const double start = now_seconds();
  SamplePairs pairs = sample_in_turn(
      [&](int which) {
        const Contender contender = which == 0 ? kIncumbent : kCandidate;
        // The other one's code and leftovers leave the caches.
        if (bench.runs_alone() && !surroundings.evicts()) bench.time(contender, 1, surroundings);
        return bench.time(contender, calls, surroundings);
      },
      sampling, [&] { return now_seconds() - start; });
  if (pairs.candidate.size() < 3 && !pairs.ended_early)
    throw std::runtime_error("the clock of this machine gives no plausible times");
  const double scale = 1e-3 / static_cast<double>(calls * options.tokens);
  for (auto* samples : {&pairs.incumbent, &pairs.candidate}) {
    for (double& ns : *samples) ns *= scale;
  }
  return std::string("{\"status\":\"ok\",\"ended_early\":") + (pairs.ended_early ? "true" : "false") +
         ",\"noise\":" + std::to_string(pairs.noise) + ",\"cpu\":" + quoted(machine.cpu) +
         ",\"caches\":" + quoted(machine.caches) + ",\"emulated\":" + (machine.emulated ? "true" : "false") +
         ",\"incumbent\":" + list(pairs.incumbent) + ",\"candidate\":" + list(pairs.candidate) +
         counters_text(bench, options, calls, surroundings) + "}";
}

}  // namespace
}  // namespace lookupffn

int main(int argc, char** argv) {
  using namespace lookupffn;
  try {
    const MeasureOptions options = parse_options(argc, argv);
    install_last_words(options.time_limit);
    std::fputs(result_line("{\"status\":\"started\"}").c_str(), stdout);
    std::fflush(stdout);
    say_and_leave(measure(options), 0);
  } catch (const Incorrect& error) {
    say_and_leave(status_body("incorrect", error.what()), 2);
  } catch (const std::exception& error) {
    // Nothing about the candidate: this machine cannot measure at all.
    say_and_leave(status_body("unfit", error.what()), 4);
  }
}
