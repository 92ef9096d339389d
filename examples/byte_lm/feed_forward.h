// The feed-forward part of a transformer layer, in the two ways that this program compares.
#ifndef BYTE_LM_FEED_FORWARD_H
#define BYTE_LM_FEED_FORWARD_H

#include <string>

#include "lookupffn/lookupffn.hpp"
#include "matrix.h"
#include "thread_pool.h"

namespace byte_lm {

class FeedForward {
 public:
  virtual ~FeedForward() = default;

  // y = x + FFN(x), LayerNorm included, for all tokens (rows) of a batch at once. y has x's size and
  // does not overlap it.
  virtual void forward(const Matrix& x, Matrix* y) const = 0;
};

// A LookupFFN layer, run by the library's kernels.
class LookupFeedForward : public FeedForward {
 public:
  // `threads` must outlive it.
  LookupFeedForward(const lookupffn::Model& model, const std::string& prefix, const lookupffn::PackOptions& options,
                    const lookupffn::Threads& threads);
  void forward(const Matrix& x, Matrix* y) const override;
  lookupffn::LayerInfo info() const { return layer_.info(); }
  const lookupffn::Layer& layer() const { return layer_; }

 private:
  lookupffn::Layer layer_;
  const lookupffn::Threads& threads_;
};

// down(gelu(up(LayerNorm(x)))) with the exact GELU, by Eigen.
class DenseFeedForward : public FeedForward {
 public:
  // `pool` must outlive it.
  DenseFeedForward(const TensorFile& file, const std::string& prefix, size_t width, ThreadPool* pool);
  void forward(const Matrix& x, Matrix* y) const override;

 private:
  LayerNorm norm_;
  Linear up_, down_;
  ThreadPool* pool_;
};

}  // namespace byte_lm
#endif
