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

#include "hardware_counters.h"
#include "kernel_bench.h"
#include "last_words.h"
#include "machine.h"
#include "model.h"
#include "reference/reference_family.h"
#include "result_line.h"
#include "sampling.h"
#include "shape_fields.h"
#include "surroundings.h"
#include "weight_types.h"

extern "C" {
extern const lookupffn_kernel_library incumbent_kernel_library, candidate_kernel_library;
}

namespace lookupffn {
namespace {

struct Incorrect : std::runtime_error {
  using std::runtime_error::runtime_error;
};

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
std::string counters_text(KernelBench& bench, const MeasureOptions& options, const reference::Input& input, size_t calls,
                          Surroundings& surroundings) {
  if (surroundings.evicts()) return ",\"no_counters\":\"counters would count what evicts the tables, too\"";
  if (options.threads > 1) return ",\"no_counters\":\"counters count one thread\"";
  HardwareCounters counters(system_counters());
  if (!counters.missing().empty()) return ",\"no_counters\":" + quoted(counters.missing());
  bench.time(kCandidate, input, 1, surroundings);
  const std::map<std::string, double> counts = counters.count([&] { bench.time(kCandidate, input, calls, surroundings); });
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

// Another count of the same batch class, so that tails are run as well.
size_t other_count(size_t tokens) {
  if (tokens == 1) return 1;
  const size_t less = tokens - 1;
  const lookupffn_kernel& kernel = candidate_kernel_library.kernels[0];
  return less >= std::max(2u, kernel.min_tokens) ? less : tokens + 1;
}

// Tokens of the ring: enough that their codes cover the tables.
constexpr size_t kRing = 4096;
constexpr size_t kJudged = 6;                         // of a call's tokens: twins are slow
constexpr size_t kMostCalls = 20000, kColdCalls = 4;  // of a sample

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
void keep(std::vector<T>* values, size_t tokens, size_t all) {
  values->resize(values->size() / all * tokens);
}

// The candidate's results of a call, of which some are judged: how many tokens a call has decides the kernel.
void check_reference(const MeasureOptions& options, reference::Stage stage, const reference::Twin& twin,
                     const reference::Input& ring, const lookupffn_shape& shape, KernelBench& bench) {
  const size_t tokens = std::min(options.tokens, kJudged);
  reference::Results given = bench.run(kCandidate, ring, 0, options.tokens);
  keep(&given.code, tokens, options.tokens);
  keep(&given.score, tokens, options.tokens);
  keep(&given.y, tokens, options.tokens);
  const reference::Verdict verdict = twin.judge(stage, reference::first_of(ring, shape, tokens), given);
  if (verdict.wrong_codes > 0) {
    throw Incorrect(std::to_string(verdict.wrong_codes) + " of " + std::to_string(verdict.codes) +
                    " codes are not the reference's");
  }
  if (!(verdict.score_of_tolerance <= 1)) {
    throw Incorrect("a score is " + std::to_string(verdict.score_of_tolerance) + " times its tolerance off");
  }
  if (!(verdict.y_of_tolerance <= 1))
    throw Incorrect("y is " + std::to_string(verdict.y_of_tolerance) + " times its tolerance off");
  if (!verdict.passed()) throw Incorrect("its results cannot be judged");
}

std::string measure(const MeasureOptions& options) {
  const reference::ReferenceFamily& family = reference::reference_family(options.family);
  const reference::Stage stage = family.stage(options.kernel);
  const std::vector<uint8_t> bytes = family.random_model(options.shape, options.seed);
  lookupffn_model* model = nullptr;
  if (lookupffn_model_open_memory(bytes.data(), bytes.size(), &model) != LOOKUPFFN_OK) {
    throw std::runtime_error(std::string("opening the model: ") + lookupffn_last_message());
  }
  lookupffn_threads* threads = nullptr;
  if (lookupffn_threads_create(options.threads, &threads) != LOOKUPFFN_OK) {
    throw std::runtime_error(std::string("starting threads: ") + lookupffn_last_message());
  }
  const ModelLayer& layer = find_layer(model, "");
  const std::unique_ptr<const reference::Twin> twin = family.twin(layer, options.table_type, options.projection_type);
  KernelBench bench(options, stage, model, incumbent_kernel_library, candidate_kernel_library, threads);
  const size_t ring = std::max<size_t>(1, (kRing + options.tokens - 1) / options.tokens) * options.tokens;
  const reference::Input input = twin->random_input(stage, ring, options.seed + 1);

  try {
    check_reference(options, stage, *twin, input, layer.shape(), bench);
    for (const size_t tokens : {options.tokens, other_count(options.tokens)}) {
      const size_t first = input.tokens > tokens ? (input.tokens - tokens) / 2 : 0;
      if (tokens > input.tokens) continue;
      const reference::Results candidate = bench.run(kCandidate, input, first, tokens);
      const reference::Results incumbent = bench.run(kIncumbent, input, first, tokens);
      if (!same_bits(candidate.code, incumbent.code) || !same_bits(candidate.score, incumbent.score) ||
          !same_bits(candidate.y, incumbent.y)) {
        throw Incorrect("its bits are not the incumbent's at " + std::to_string(tokens) + " tokens");
      }
    }
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
    for (int i = 0; i < 3; ++i) ns.push_back(bench.time(contender, input, 1, surroundings));
    return median(ns);
  };
  const double one_call = std::max({100.0, call_ns(kIncumbent), call_ns(kCandidate) / 4});  // the hopeless cost little time
  // Emptying the caches takes longer than many a call.
  const size_t most_calls = surroundings.evicts() ? kColdCalls : kMostCalls;
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
        if (!surroundings.evicts()) bench.time(contender, input, 1, surroundings);
        return bench.time(contender, input, calls, surroundings);
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
         counters_text(bench, options, input, calls, surroundings) + "}";
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
