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
#include <stdexcept>
#include <string>

#include "kernel_bench.h"
#include "last_words.h"
#include "machine.h"
#include "reference/bf16_projection.h"
#include "reference/reference.h"
#include "reference/tolerance.h"
#include "result_line.h"
#include "sampling.h"
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
  const auto number = [&](const char* name) {
    return static_cast<size_t>(std::strtoull(take(name).c_str(), nullptr, 10));
  };
  MeasureOptions options;
  options.kernel = take("kernel");
  options.isa = take("isa");
  const size_t d_in = number("d_in"), d_out = number("d_out"), tables = number("tables"),
               bits = number("bits");
  const size_t block = number("block");
  options.shape = take("projection") == "bh4" ? reference::bh4_shape(d_in, d_out, tables, bits, block)
                                              : reference::dense_shape(d_in, d_out, tables, bits);
  options.table_type = weight_type_of(take("table_type")).type;
  options.projection_type = weight_type_of(take("projection_type")).type;
  options.tokens = std::max<size_t>(1, number("tokens"));
  options.threads = std::max<size_t>(1, number("threads"));
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

void check_reference(const MeasureOptions& options, const reference::Layer& layer, const MeasureInput& input,
                     KernelBench& bench) {
  const size_t tokens = std::min<size_t>(options.tokens, 6), tables = options.shape.tables;
  const KernelBench::Output out = bench.run(kCandidate, input, 0, options.tokens);
  if (options.kernel == "hash") {
    const std::vector<float> x(input.x.begin(),
                               input.x.begin() + static_cast<ptrdiff_t>(tokens * options.shape.d_in));
    const reference::Result expected = reference::forward(layer, x, options.projection_type);
    const std::vector<int32_t> code(out.code.begin(),
                                    out.code.begin() + static_cast<ptrdiff_t>(tokens * tables));
    const std::vector<float> score(out.score.begin(),
                                   out.score.begin() + static_cast<ptrdiff_t>(tokens * tables));
    if (const size_t wrong = reference::wrong_codes(layer, expected.z, code, options.projection_type)) {
      throw Incorrect(std::to_string(wrong) + " of " + std::to_string(code.size()) +
                      " codes are not the reference's");
    }
    const double worst = reference::worst_score(layer, expected.score, score);
    if (!(worst <= 1)) throw Incorrect("a score is " + std::to_string(worst) + " times its tolerance off");
    return;
  }
  const std::vector<int32_t> code(input.code.begin(),
                                  input.code.begin() + static_cast<ptrdiff_t>(tokens * tables));
  const std::vector<double> score(input.score.begin(),
                                  input.score.begin() + static_cast<ptrdiff_t>(tokens * tables));
  const std::vector<float> y(out.y.begin(),
                             out.y.begin() + static_cast<ptrdiff_t>(tokens * options.shape.d_out));
  const double worst =
      reference::worst_y(layer, code, score, reference::gather(layer, code, score), y, options.table_type);
  if (!(worst <= 1)) throw Incorrect("y is " + std::to_string(worst) + " times its tolerance off");
}

std::string measure(const MeasureOptions& options) {
  // The part that is not measured is made as small as can be.
  lookupffn_shape shape = options.shape;
  if (options.kernel == "hash") shape.d_out = 1;
  MeasureOptions own = options;
  own.shape = shape;
  const reference::Layer layer = reference::random_layer(shape, options.seed);
  const std::vector<uint8_t> bytes = reference::model_bytes(layer, "", ElementType::kF32);
  lookupffn_model* model = nullptr;
  if (lookupffn_model_open_memory(bytes.data(), bytes.size(), &model) != LOOKUPFFN_OK) {
    throw std::runtime_error(std::string("opening the model: ") + lookupffn_last_message());
  }
  lookupffn_threads* threads = nullptr;
  if (lookupffn_threads_create(options.threads, &threads) != LOOKUPFFN_OK) {
    throw std::runtime_error(std::string("starting threads: ") + lookupffn_last_message());
  }
  KernelBench bench(own, model, incumbent_kernel_library, candidate_kernel_library, threads);
  lookupffn_model_close(model);
  const MeasureInput input = make_input(own);

  try {
    check_reference(own, layer, input, bench);
    for (const size_t tokens : {own.tokens, other_count(own.tokens)}) {
      const size_t first = input.ring > tokens ? (input.ring - tokens) / 2 : 0;
      if (tokens > input.ring) continue;
      if (!(bench.run(kCandidate, input, first, tokens) == bench.run(kIncumbent, input, first, tokens))) {
        throw Incorrect("its bits are not the incumbent's at " + std::to_string(tokens) + " tokens");
      }
    }
  } catch (const Incorrect&) {
    throw;
  } catch (const std::exception& error) {
    throw Incorrect(error.what());
  }

  // A sample takes about a millisecond, and one call at least.
  const auto call_ns = [&](Contender contender) {
    std::vector<double> ns;  // three, as the clock may jump in one
    for (int i = 0; i < 3; ++i) ns.push_back(bench.time(contender, input, 1));
    return median(ns);
  };
  const double one_call =
      std::max({100.0, call_ns(kIncumbent), call_ns(kCandidate) / 4});  // the hopeless cost little time
  const size_t calls = std::clamp<size_t>(static_cast<size_t>(1.2e6 / one_call), 1, 20000);
  SamplingOptions sampling;
  sampling.most_samples = options.most_samples;
  sampling.seconds = options.seconds;
  sampling.good = options.good;
  sampling.may_end_early = options.may_end_early;
  const double start = now_seconds();
  SamplePairs pairs = sample_in_turn(
      [&](int which) {
        const Contender contender = which == 0 ? kIncumbent : kCandidate;
        bench.time(contender, input, 1);  // the other one's code and leftovers leave the caches
        return bench.time(contender, input, calls);
      },
      sampling, [&] { return now_seconds() - start; });
  if (pairs.candidate.size() < 3)
    throw std::runtime_error("the clock of this machine gives no plausible times");
  const Machine machine = this_machine();
  const double scale = 1e-3 / static_cast<double>(calls * options.tokens);
  for (auto* samples : {&pairs.incumbent, &pairs.candidate}) {
    for (double& ns : *samples) ns *= scale;
  }
  return std::string("{\"status\":\"ok\",\"ended_early\":") + (pairs.ended_early ? "true" : "false") +
         ",\"noise\":" + std::to_string(pairs.noise) + ",\"cpu\":" + quoted(machine.cpu) +
         ",\"caches\":" + quoted(machine.caches) + ",\"incumbent\":" + list(pairs.incumbent) +
         ",\"candidate\":" + list(pairs.candidate) + "}";
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
