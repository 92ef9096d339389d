#include "feed_forward.h"

#include <unsupported/Eigen/SpecialFunctions>  // a vectorised erf

namespace byte_lm {

LookupFeedForward::LookupFeedForward(const lookupffn::Model& model, const std::string& prefix,
                                     const lookupffn::PackOptions& options, const lookupffn::Threads& threads)
    : layer_(model, prefix, options), threads_(threads) {}

void LookupFeedForward::forward(const Matrix& x, Matrix* y) const {
  layer_.forward(threads_, x.data(), x.cols(), y->data(), y->cols(), static_cast<size_t>(x.rows()), LOOKUPFFN_ADD_RESIDUAL);
}

DenseFeedForward::DenseFeedForward(const TensorFile& file, const std::string& prefix, size_t width, ThreadPool* pool)
    : norm_(file, prefix, width),
      up_(file, prefix + "up.", file.shape(prefix + "up.weight").at(0), width),
      down_(file, prefix + "down.", width, file.shape(prefix + "up.weight").at(0)),
      pool_(pool) {}

void DenseFeedForward::forward(const Matrix& x, Matrix* y) const {
  // Few enough tokens that their 1024 inner values stay in the second-level cache.
  constexpr size_t kTokens = 128;
  parallel_ranges(pool_, static_cast<size_t>(x.rows()), kTokens, [&](size_t first, size_t count) {
    const auto tokens = x.middleRows(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(count));
    Matrix inner = up_(norm_(tokens));
    inner = 0.5f * inner.array() * (1.0f + (inner.array() * float(M_SQRT1_2)).erf());
    y->middleRows(static_cast<Eigen::Index>(first), static_cast<Eigen::Index>(count)) = tokens + down_(inner);
  });
}

}  // namespace byte_lm
