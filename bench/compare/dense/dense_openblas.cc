// The dense network as sgemm of OpenBLAS, with bias and GELU in a vectorised loop behind each. BLAS has no packed weights to
// keep: it packs at each call, from two tokens on.
#include <cblas.h>

#include <cstdlib>

#include "contender.h"
#include "gelu.h"
#include "native_build.h"

namespace lookupffn::bench {
namespace {

class OpenBlas : public Contender {
 public:
  OpenBlas(const ComparedLayer& layer, const Setting& setting) : x_(layer.ring.x), network_(layer.dense) {
    openblas_set_num_threads(static_cast<int>(setting.threads));
    for (std::vector<float>& values : values_) values.resize(setting.largest_call * network_.widest());
  }

  void run(Part, size_t first, size_t tokens) override {
    const float* from = &x_[first * network_.d_in()];
    for (size_t k = 0; k < network_.products.size(); ++k) {
      const DenseNetwork::Product& step = network_.products[k];
      float* const to = values_[k % 2].data();
      product(from, step, to, tokens);
      const auto finish = k + 1 < network_.products.size() ? add_bias_gelu : add_bias;
      for (size_t n = 0; n < tokens; ++n) finish(to + n * step.out, step.b.data(), static_cast<int>(step.out));
      from = to;
    }
  }

  std::vector<float> y(size_t tokens) const override {
    const std::vector<float>& y = values_[(network_.products.size() - 1) % 2];
    return {y.begin(), y.begin() + ptrdiff_t(tokens * network_.d_out())};
  }
  std::string isa() const override { return openblas_get_corename(); }
  std::string schedule() const override {
    const char* const core = std::getenv("OPENBLAS_CORETYPE");
    return std::string(openblas_get_config()) + (core ? std::string(", OPENBLAS_CORETYPE=") + core : "") + ", " +
           network_.name();
  }

 private:
  // out [tokens, rows] = x [tokens, columns] w[rows, columns]^T
  static void product(const float* x, const DenseNetwork::Product& by, float* out, size_t tokens) {
    const auto n = static_cast<blasint>(tokens), k = static_cast<blasint>(by.in), m = static_cast<blasint>(by.out);
    if (tokens == 1) {
      cblas_sgemv(CblasRowMajor, CblasNoTrans, m, k, 1, by.w.data(), k, x, 1, 0, out, 1);
    } else {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, k, 1, x, k, by.w.data(), k, 0, out, m);
    }
  }

  const std::vector<float>& x_;
  const DenseNetwork& network_;
  std::vector<float> values_[2];  // what a product reads and what it writes, in turn
};

}  // namespace

ContenderKind openblas_contender() {
  return {"openblas",
          "dense network, OpenBLAS f32",
          ContenderKind::Computes::kDense,
          {Part::kAll},
          "f32",
          native_build_missing(),
          [](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
            return std::make_unique<OpenBlas>(layer, setting);
          }};
}

}  // namespace lookupffn::bench
