// Steps of Adam on rows.
#ifndef LOOKUPFFN_ROW_ADAM_H
#define LOOKUPFFN_ROW_ADAM_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lookupffn/kernels.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn {

// A step on the kernel of an ISA. May be shared between threads that update different rows.
class RowAdam {
 public:
  // adam must outlive it. Throws Failure.
  RowAdam(const lookupffn_row_adam& adam, const char* isa);

  // Rows rows[0..count-1], which ascend, each once; gradients [count, width].
  void update(const int64_t* rows, const float* gradients, size_t count) const;

 private:
  static constexpr size_t kAtOnce = 256;

  struct Corrections {
    float size, deviation;  // lr / (1 - beta1^steps), 1 / sqrt(1 - beta2^steps)
  };
  Corrections corrections(int32_t steps) const;

  const lookupffn_row_adam& adam_;
  const lookupffn_kernel& kernel_;
  std::vector<Corrections> few_steps_;  // of rows that took part in so many
};

// Throws Failure (LOOKUPFFN_INVALID_ARGUMENT) for what cannot be.
void check_row_adam(const char* function, const lookupffn_row_adam& adam);

}  // namespace lookupffn
#endif
