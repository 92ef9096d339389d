// Kernels that layers call: checked and timed in one, by themselves.
#ifndef LOOKUPFFN_LAYER_BENCH_H
#define LOOKUPFFN_LAYER_BENCH_H

#include <memory>

#include "bench.h"
#include "kernel_bench.h"
#include "reference/reference_family.h"

namespace lookupffn {

class LayerBench : public Bench {
 public:
  // Of the model's only layer. What is given must outlive it.
  LayerBench(const MeasureOptions& options, reference::Stage stage, const reference::ReferenceFamily& family,
             const lookupffn_model* model, const lookupffn_kernel_library& incumbent, const lookupffn_kernel_library& candidate,
             lookupffn_threads* threads);

  void check() override;
  double time(Contender contender, size_t calls, Surroundings& surroundings) override;
  bool runs_alone() const override { return true; }

 private:
  void check_reference();
  // Another count of the same batch class, so that tails are run as well.
  size_t other_count() const;

  const MeasureOptions& options_;
  const reference::Stage stage_;
  const lookupffn_shape shape_;
  const uint32_t least_tokens_;  // of the batch class
  const std::unique_ptr<const reference::Twin> twin_;
  KernelBench kernels_;
  const reference::Input ring_;
};

}  // namespace lookupffn
#endif
