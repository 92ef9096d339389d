// Training steps of layers of any family: what lookupffn_training stands for.
#ifndef LOOKUPFFN_TRAINING_H
#define LOOKUPFFN_TRAINING_H

#include <cstddef>
#include <cstdint>

#include "lookupffn/lookupffn.h"
#include "rows.h"
#include "scratch.h"

// Immutable but for the scratch pool; a family derives from it. Its functions get arguments that were checked, tokens of 1 or
// more, and throw Failure. They do what lookupffn.h says of theirs.
struct lookupffn_training {
  lookupffn_training(const lookupffn_shape& shape, const char* isa) : shape(shape), isa(isa) {}
  virtual ~lookupffn_training() = default;
  lookupffn_training(const lookupffn_training&) = delete;

  virtual size_t saved_floats(size_t tokens) const = 0;
  virtual void hash(lookupffn_threads& threads, const lookupffn_weights& weights, const lookupffn::InputRows& x, size_t tokens,
                    float* saved) const = 0;
  virtual size_t picked_rows(size_t tokens, const float* saved, int64_t* rows) const = 0;
  virtual void gather(lookupffn_threads& threads, const lookupffn_weights& weights, size_t tokens, const float* saved,
                      const lookupffn::OutputRows& y) const = 0;
  virtual void backward(lookupffn_threads& threads, const lookupffn_weights& weights, const lookupffn::InputRows& x,
                        const lookupffn::InputRows& d_y, size_t tokens, const float* saved,
                        const lookupffn_gradients& gradients) const = 0;

  const lookupffn_shape shape;
  const char* const isa;
  mutable lookupffn::ScratchPool scratch;
};

#endif
