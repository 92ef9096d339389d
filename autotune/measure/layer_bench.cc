#include "layer_bench.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "model.h"

namespace lookupffn {
namespace {

// Tokens of the ring: enough that their codes cover the tables.
constexpr size_t kRing = 4096;
constexpr size_t kJudged = 6;  // of a call's tokens: twins are slow

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
void keep(std::vector<T>* values, size_t tokens, size_t all) {
  values->resize(values->size() / all * tokens);
}

size_t ring_tokens(size_t tokens) { return std::max<size_t>(1, (kRing + tokens - 1) / tokens) * tokens; }

}  // namespace

LayerBench::LayerBench(const MeasureOptions& options, reference::Stage stage, const reference::ReferenceFamily& family,
                       const lookupffn_model* model, const lookupffn_kernel_library& incumbent,
                       const lookupffn_kernel_library& candidate, lookupffn_threads* threads)
    : options_(options),
      stage_(stage),
      shape_(find_layer(model, "").shape()),
      least_tokens_(candidate.kernels[0].min_tokens),
      twin_(family.twin(find_layer(model, ""), options.table_type, options.projection_type)),
      kernels_(options, stage, model, incumbent, candidate, threads),
      ring_(twin_->random_input(stage, ring_tokens(options.tokens), options.seed + 1)) {}

size_t LayerBench::other_count() const {
  if (options_.tokens == 1) return 1;
  const size_t less = options_.tokens - 1;
  return less >= std::max(2u, least_tokens_) ? less : options_.tokens + 1;
}

// The candidate's results of a call, of which some are judged: how many tokens a call has decides the kernel.
void LayerBench::check_reference() {
  const size_t tokens = std::min(options_.tokens, kJudged);
  reference::Results given = kernels_.run(kCandidate, ring_, 0, options_.tokens);
  keep(&given.code, tokens, options_.tokens);
  keep(&given.score, tokens, options_.tokens);
  keep(&given.y, tokens, options_.tokens);
  const reference::Verdict verdict = twin_->judge(stage_, reference::first_of(ring_, shape_, tokens), given);
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

void LayerBench::check() {
  check_reference();
  for (const size_t tokens : {options_.tokens, other_count()}) {
    const size_t first = ring_.tokens > tokens ? (ring_.tokens - tokens) / 2 : 0;
    if (tokens > ring_.tokens) continue;
    const reference::Results candidate = kernels_.run(kCandidate, ring_, first, tokens);
    const reference::Results incumbent = kernels_.run(kIncumbent, ring_, first, tokens);
    if (!same_bits(candidate.code, incumbent.code) || !same_bits(candidate.score, incumbent.score) ||
        !same_bits(candidate.y, incumbent.y)) {
      throw Incorrect("its bits are not the incumbent's at " + std::to_string(tokens) + " tokens");
    }
  }
}

double LayerBench::time(Contender contender, size_t calls, Surroundings& surroundings) {
  return kernels_.time(contender, ring_, calls, surroundings);
}

}  // namespace lookupffn
