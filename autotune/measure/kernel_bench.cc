#include "kernel_bench.h"

#include <time.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <stdexcept>

#include "layer.h"

namespace lookupffn {
namespace {

// Tokens of the ring: enough that their codes cover the tables.
constexpr size_t kRing = 4096;
// What no kernel may touch: written before and after its output.
constexpr size_t kGuard = 64;
constexpr float kGuardValue = -12345.5f;

void check(lookupffn_status status, const char* what) {
  if (status == LOOKUPFFN_OK) return;
  throw std::runtime_error(std::string(what) + ": " + lookupffn_last_message());
}

// One thread is timed by its own CPU time: what other programs take of the core in between is not its. More
// than one can only be timed from outside.
double now_ns(size_t threads) {
  timespec t{};
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
std::vector<T> guarded(size_t size) {
  return std::vector<T>(size + 2 * kGuard, static_cast<T>(kGuardValue));
}

// Takes the guards off again, if they are whole.
template <class T>
std::vector<T> unguarded(const std::vector<T>& values) {
  for (size_t i = 0; i < kGuard; ++i) {
    if (values[i] != static_cast<T>(kGuardValue) ||
        values[values.size() - 1 - i] != static_cast<T>(kGuardValue)) {
      throw std::runtime_error("wrote outside its output");
    }
  }
  return std::vector<T>(values.begin() + kGuard, values.end() - kGuard);
}

}  // namespace

MeasureInput make_input(const MeasureOptions& options) {
  MeasureInput input;
  input.ring = std::max<size_t>(1, (kRing + options.tokens - 1) / options.tokens) * options.tokens;
  if (options.kernel == "hash") {
    input.x = reference::random_tokens(input.ring, options.shape.d_in, options.seed + 1);
    return input;
  }
  std::mt19937_64 random(options.seed + 2);
  for (size_t i = 0; i < input.ring * options.shape.tables; ++i) {
    const uint64_t bits = random();
    input.code.push_back(static_cast<int32_t>((bits >> 32) % options.shape.rows));
    input.score.push_back(0.25f + static_cast<float>(bits & 0xffff) / 65536.0f);
  }
  return input;
}

bool KernelBench::Output::operator==(const Output& other) const {
  return same_bits(code, other.code) && same_bits(score, other.score) && same_bits(y, other.y);
}

KernelBench::KernelBench(const MeasureOptions& options, const lookupffn_model* model,
                         const lookupffn_kernel_library& incumbent, const lookupffn_kernel_library& candidate,
                         lookupffn_threads* threads)
    : options_(options), threads_(threads) {
  check(lookupffn_register_kernels(&incumbent), "registering the incumbent");
  lookupffn_pack_options pack{};
  pack.isa = options.isa.c_str();
  pack.table_type = options.table_type;
  pack.projection_type = options.projection_type;
  lookupffn_layer* layer = nullptr;
  check(lookupffn_layer_pack(model, "", &pack, &layer), "packing");
  layer_.reset(layer);
  choices_[kIncumbent] = layer->choose_kernels(LOOKUPFFN_ANY_KERNELS);
  check_taken(*choices_[kIncumbent], incumbent);
  // The later registration wins. The packed layout is the same for all kernels.
  check(lookupffn_register_kernels(&candidate), "registering the candidate");
  choices_[kCandidate] = layer->choose_kernels(LOOKUPFFN_ANY_KERNELS);
  check_taken(*choices_[kCandidate], candidate);
}

void KernelBench::check_taken(const KernelSet& choice, const lookupffn_kernel_library& library) const {
  if (choice.description.find(std::string("[") + library.name + "]") != std::string::npos) return;
  throw std::runtime_error("the layer did not take the kernel of library " + std::string(library.name) +
                           "; it runs on: " + choice.description + "; " + choice.fallback);
}

lookupffn_status KernelBench::call(const MeasureInput& input, size_t first, size_t tokens, int32_t* code,
                                   float* score, float* y) const {
  const lookupffn_shape& shape = options_.shape;
  if (options_.kernel == "hash") {
    return lookupffn_hash(layer_.get(), threads_, input.x.data() + first * shape.d_in,
                          static_cast<ptrdiff_t>(shape.d_in), code, score, tokens);
  }
  return lookupffn_gather(layer_.get(), threads_, input.code.data() + first * shape.tables,
                          input.score.data() + first * shape.tables, y, static_cast<ptrdiff_t>(shape.d_out),
                          tokens);
}

KernelBench::Output KernelBench::run(Contender contender, const MeasureInput& input, size_t first,
                                     size_t tokens) {
  layer_->kernels = choices_[contender];
  Output out;
  const bool hash = options_.kernel == "hash";
  out.code = guarded<int32_t>(hash ? tokens * options_.shape.tables : 0);
  out.score = guarded<float>(hash ? tokens * options_.shape.tables : 0);
  out.y = guarded<float>(hash ? 0 : tokens * options_.shape.d_out);
  check(
      call(input, first, tokens, out.code.data() + kGuard, out.score.data() + kGuard, out.y.data() + kGuard),
      "running");
  return {unguarded(out.code), unguarded(out.score), unguarded(out.y)};
}

double KernelBench::time(Contender contender, const MeasureInput& input, size_t calls) {
  layer_->kernels = choices_[contender];
  const bool hash = options_.kernel == "hash";
  scratch_.code.resize(hash ? options_.tokens * options_.shape.tables : 0);
  scratch_.score.resize(hash ? options_.tokens * options_.shape.tables : 0);
  scratch_.y.resize(hash ? 0 : options_.tokens * options_.shape.d_out);
  lookupffn_status status = LOOKUPFFN_OK;
  const double start = now_ns(options_.threads);
  for (size_t i = 0; i < calls; ++i) {
    const lookupffn_status one =
        call(input, next_, options_.tokens, scratch_.code.data(), scratch_.score.data(), scratch_.y.data());
    if (one != LOOKUPFFN_OK) status = one;
    next_ += options_.tokens;
    if (next_ >= input.ring) next_ = 0;
  }
  const double ns = now_ns(options_.threads) - start;
  check(status, "running");
  return ns;
}

}  // namespace lookupffn
