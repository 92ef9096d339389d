// Training steps of a layer as naive loops in double precision, for those who check and measure the kernels of real ones.
#ifndef LOOKUPFFN_REFERENCE_TRAINING_TWIN_H
#define LOOKUPFFN_REFERENCE_TRAINING_TWIN_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.h"

namespace lookupffn::reference {

// Of one step: y and the gradients, shaped like what they are gradients of. The tables' rows were updated by the first step of
// Adam: mean is its first moment, (1 - beta1) times the gradient, square the second.
struct StepResults {
  const float *y, *x, *norm_weight, *norm_bias, *projection_weight, *projection_bias, *bias;
  const float *tables, *mean, *square;
};

class TrainingTwin {
 public:
  virtual ~TrainingTwin() = default;
  virtual const lookupffn_shape& shape() const = 0;
  virtual lookupffn_weights weights() const = 0;  // which it keeps
  virtual size_t projection_floats() const = 0;   // of the projection's weight
  // Tokens whose codes are the same in floats and in doubles.
  virtual std::vector<float> random_x(size_t tokens, uint64_t seed) const = 0;
  // What is wrong about the results of the step of x and d_y, contiguous; "" for nothing.
  virtual std::string judge(const std::vector<float>& x, const std::vector<float>& d_y, const lookupffn_row_adam& adam,
                            const StepResults& given) const = 0;
};

}  // namespace lookupffn::reference
#endif
