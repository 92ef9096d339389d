// The dense feed-forward layer as two sgemm of OpenBLAS, with bias and GELU in a vectorised loop between.
// BLAS has no packed weights to keep: it packs at each call, from two tokens on.
#include <cblas.h>

#include "contender.h"
#include "fast_gelu.h"
#include "native_build.h"

namespace lookupffn::bench {
namespace {

class OpenBlas : public Contender {
 public:
  explicit OpenBlas(const Setting& setting) : setting_(setting) {
    openblas_set_num_threads(static_cast<int>(setting.threads));
    up_.resize(setting.largest_call * setting.ffn.hidden);
    y_.resize(setting.largest_call * setting.ffn.d);
  }

  void run(Part, size_t first, size_t tokens) override {
    const DenseFfn& ffn = setting_.ffn;
    product(&setting_.ring.x[first * ffn.d], ffn.w1, up_.data(), tokens, ffn.d, ffn.hidden);
    for (size_t n = 0; n < tokens; ++n) {
      add_bias_gelu(&up_[n * ffn.hidden], ffn.b1.data(), static_cast<int>(ffn.hidden));
    }
    product(up_.data(), ffn.w2, y_.data(), tokens, ffn.hidden, ffn.d);
    for (size_t n = 0; n < tokens; ++n) add_bias(&y_[n * ffn.d], ffn.b2.data(), static_cast<int>(ffn.d));
  }

  std::vector<float> y(size_t tokens) const override { return {y_.begin(), y_.begin() + tokens * setting_.ffn.d}; }
  std::string isa() const override { return openblas_get_corename(); }
  std::string schedule() const override { return openblas_get_config(); }

 private:
  // out [tokens, rows] = x [tokens, columns] w[rows, columns]^T
  static void product(const float* x, const std::vector<float>& w, float* out, size_t tokens, size_t columns, size_t rows) {
    const auto n = static_cast<blasint>(tokens), k = static_cast<blasint>(columns), m = static_cast<blasint>(rows);
    if (tokens == 1) {
      cblas_sgemv(CblasRowMajor, CblasNoTrans, m, k, 1, w.data(), k, x, 1, 0, out, 1);
    } else {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, k, 1, x, k, w.data(), k, 0, out, m);
    }
  }

  const Setting& setting_;
  std::vector<float> up_, y_;
};

}  // namespace

ContenderKind openblas_contender() {
  return {"openblas",
          "dense FFN, OpenBLAS f32",
          Computes::kDenseFfn,
          {Part::kAll},
          false,
          "f32",
          native_build_missing(),
          [](const Setting& setting, Types) -> std::unique_ptr<Contender> { return std::make_unique<OpenBlas>(setting); }};
}

}  // namespace lookupffn::bench
