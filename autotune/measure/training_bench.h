// Kernels of training steps: checked by whole steps, and timed within them.
#ifndef LOOKUPFFN_TRAINING_BENCH_H
#define LOOKUPFFN_TRAINING_BENCH_H

#include <cstddef>
#include <memory>
#include <vector>

#include "bench.h"
#include "lookupffn/kernels.h"
#include "reference/training_twin.h"

namespace lookupffn {

// Steps of one layer and one batch of tokens: hash, gather, and the backward with RowAdam in it. What is timed are the calls of
// the measured kernel: the step's other kernels do not dilute the difference of two of its schedules, and caches are as they
// leave them. Both contenders work on the same memory.
class TrainingBench : public Bench {
 public:
  // What is given must outlive it.
  TrainingBench(const MeasureOptions& options, std::unique_ptr<const reference::TrainingTwin> twin,
                const lookupffn_kernel_library& incumbent, const lookupffn_kernel_library& candidate,
                lookupffn_threads* threads);

  void check() override;
  double time(Contender contender, size_t calls, Surroundings& surroundings) override;
  bool runs_alone() const override { return false; }

 private:
  struct FreeTraining {
    void operator()(lookupffn_training* training) const { lookupffn_training_free(training); }
  };

  // A part of memory_, between two guards, which no kernel may touch.
  struct Part {
    size_t begin = 0, size = 0;
  };

  Part take(size_t floats);
  float* at(const Part& part) { return memory_.data() + part.begin; }
  // The tables and the optimiser's state as they are before the first step.
  void start_anew();
  // Steps run on the contender from here on.
  void use(Contender contender);
  void step(size_t tokens);
  void check_guards() const;
  void check_reference();

  const MeasureOptions& options_;
  const std::unique_ptr<const reference::TrainingTwin> twin_;
  lookupffn_threads* const threads_;
  lookupffn_kernel kernels_[2];  // the contenders, in a function that takes their time
  lookupffn_kernel_library libraries_[2];
  std::unique_ptr<lookupffn_training, FreeTraining> training_;

  std::vector<float> x_, d_y_;  // [tokens, d_in], [tokens, d_out]
  lookupffn_weights weights_;
  size_t row_count_, table_floats_;
  std::vector<Part> parts_;
  Part y_, d_x_, norm_weight_, norm_bias_, projection_weight_, projection_bias_, bias_;
  Part tables_, mean_, square_;
  std::vector<float> memory_, saved_;
  std::vector<int32_t> steps_;
  std::vector<double> log_decay_;
  lookupffn_row_adam adam_{};
};

}  // namespace lookupffn
#endif
