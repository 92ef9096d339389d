// A random layer and two generated kernels for it, to be checked and timed.
#ifndef LOOKUPFFN_KERNEL_BENCH_H
#define LOOKUPFFN_KERNEL_BENCH_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench.h"
#include "layer.h"
#include "lookupffn/kernels.h"
#include "lookupffn/lookupffn.h"
#include "reference/stage.h"

namespace lookupffn {

// One packed layer that runs on the kernels of either library: two copies of the weights would lie
// differently in memory, which alone can make a factor of two. Throws std::runtime_error with the runtime's
// message where something fails. Not thread-safe.
class KernelBench {
 public:
  // Registers both libraries and packs the model. Throws too where the layer does not take a library's
  // kernel.
  KernelBench(const MeasureOptions& options, reference::Stage stage, const lookupffn_model* model,
              const lookupffn_kernel_library& incumbent, const lookupffn_kernel_library& candidate, lookupffn_threads* threads);

  // Runs the measured kernel's stage over `tokens` tokens of the input, which stays the caller's, from `first` on. Throws too
  // where something beside its results was written.
  reference::Results run(Contender contender, const reference::Input& input, size_t first, size_t tokens);

  // ns (CPU time where options.threads is 1) of `calls` calls of options.tokens tokens, each on the ring's
  // next, amid the surroundings.
  double time(Contender contender, const reference::Input& input, size_t calls, Surroundings& surroundings);

 private:
  struct FreeLayer {
    void operator()(lookupffn_layer* layer) const { lookupffn_layer_free(layer); }
  };
  void check_taken(const KernelSet& choice, const lookupffn_kernel_library& library) const;

  const MeasureOptions& options_;
  const reference::Stage stage_;
  lookupffn_threads* threads_;
  std::unique_ptr<lookupffn_layer, FreeLayer> layer_;
  std::shared_ptr<const KernelSet> choices_[2];
  size_t next_ = 0;
  reference::Results scratch_;
};

}  // namespace lookupffn
#endif
