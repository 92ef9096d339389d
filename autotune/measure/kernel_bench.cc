#include "kernel_bench.h"

#include <time.h>

#include <algorithm>
#include <stdexcept>

namespace lookupffn {
namespace {

// One thread is timed by its own CPU time: what other programs take of the core in between is not its. More
// than one can only be timed from outside.
double now_ns(size_t threads) {
  timespec t{};
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

template <class T>
void guard(std::vector<T>& values) {
  values.assign(values.size() + 2 * kGuard, static_cast<T>(kGuardValue));
}

// Takes the guards off again, if they are whole.
template <class T>
std::vector<T> unguarded(const std::vector<T>& values) {
  for (size_t i = 0; i < kGuard; ++i) {
    if (values[i] != static_cast<T>(kGuardValue) || values[values.size() - 1 - i] != static_cast<T>(kGuardValue)) {
      throw std::runtime_error("wrote outside its output");
    }
  }
  return std::vector<T>(values.begin() + kGuard, values.end() - kGuard);
}

}  // namespace

KernelBench::KernelBench(const MeasureOptions& options, reference::Stage stage, const lookupffn_model* model,
                         const lookupffn_kernel_library& incumbent, const lookupffn_kernel_library& candidate,
                         lookupffn_threads* threads)
    : options_(options), stage_(stage), threads_(threads) {
  must(lookupffn_register_kernels(&incumbent), "registering the incumbent");
  lookupffn_pack_options pack{};
  pack.isa = options.isa.c_str();
  pack.table_type = options.table_type;
  pack.projection_type = options.projection_type;
  lookupffn_layer* layer = nullptr;
  must(lookupffn_layer_pack(model, "", &pack, &layer), "packing");
  layer_.reset(layer);
  scratch_ = reference::room_for(stage_, layer->shape, options.tokens);
  choices_[kIncumbent] = layer->choose_kernels(LOOKUPFFN_ANY_KERNELS);
  check_taken(*choices_[kIncumbent], incumbent);
  // The later registration wins. The packed layout is the same for all kernels.
  must(lookupffn_register_kernels(&candidate), "registering the candidate");
  choices_[kCandidate] = layer->choose_kernels(LOOKUPFFN_ANY_KERNELS);
  check_taken(*choices_[kCandidate], candidate);
}

void KernelBench::check_taken(const KernelSet& choice, const lookupffn_kernel_library& library) const {
  if (choice.description.find(std::string("[") + library.name + "]") != std::string::npos) return;
  throw std::runtime_error("the layer did not take the kernel of library " + std::string(library.name) +
                           "; it runs on: " + choice.description + "; " + choice.fallback);
}

reference::Results KernelBench::run(Contender contender, const reference::Input& input, size_t first, size_t tokens) {
  layer_->kernels = choices_[contender];
  reference::Results out = reference::room_for(stage_, layer_->shape, tokens);
  guard(out.code);
  guard(out.score);
  guard(out.y);
  must(reference::run_stage(stage_, layer_.get(), threads_, input, first, tokens, out.code.data() + kGuard,
                            out.score.data() + kGuard, out.y.data() + kGuard),
       "running");
  return {unguarded(out.code), unguarded(out.score), unguarded(out.y)};
}

double KernelBench::time(Contender contender, const reference::Input& input, size_t calls, Surroundings& surroundings) {
  layer_->kernels = choices_[contender];
  lookupffn_status status = LOOKUPFFN_OK;
  const double start = now_ns(options_.threads);
  double of_others = 0;  // ns
  for (size_t i = 0; i < calls; ++i) {
    if (surroundings.evicts()) {
      const double before = now_ns(options_.threads);
      surroundings.before_call();
      of_others += now_ns(options_.threads) - before;
    }
    const lookupffn_status one = reference::run_stage(stage_, layer_.get(), threads_, input, next_, options_.tokens,
                                                      scratch_.code.data(), scratch_.score.data(), scratch_.y.data());
    if (one != LOOKUPFFN_OK) status = one;
    next_ += options_.tokens;
    if (next_ >= input.tokens) next_ = 0;
  }
  const double ns = now_ns(options_.threads) - start - of_others;
  must(status, "running");
  return ns;
}

}  // namespace lookupffn
