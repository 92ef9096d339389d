#include "naive_layer.h"

#include <cmath>

namespace lookupffn::bench {
namespace {

std::vector<double> layer_norm(const SyntheticLayer& layer, const float* x) {
  const size_t d = layer.workload.d;
  double mean = 0, variance = 0;
  for (size_t i = 0; i < d; ++i) mean += x[i] / static_cast<double>(d);
  for (size_t i = 0; i < d; ++i) variance += (x[i] - mean) * (x[i] - mean) / d;
  std::vector<double> h(d);
  for (size_t i = 0; i < d; ++i) {
    h[i] = (x[i] - mean) / std::sqrt(variance + kLayerNormEps) * layer.gamma[i] + layer.beta[i];
  }
  return h;
}

// The unnormalised Sylvester-Hadamard transform.
void hadamard(std::vector<double>& v) {
  for (size_t half = 1; half < v.size(); half *= 2) {
    for (size_t i = 0; i < v.size(); ++i) {
      if (i & half) continue;
      const double a = v[i], b = v[i + half];
      v[i] = a + b;
      v[i + half] = a - b;
    }
  }
}

std::vector<double> dense(const SyntheticLayer& layer, const std::vector<double>& h) {
  const size_t d = layer.workload.d;
  std::vector<double> z(layer.projection_bias.size());
  for (size_t o = 0; o < z.size(); ++o) {
    for (size_t i = 0; i < d; ++i) z[o] += layer.weight[o * d + i] * h[i];
  }
  return z;
}

std::vector<double> bh4(const SyntheticLayer& layer, std::vector<double> h) {
  const size_t p = layer.workload.padded(), block = layer.workload.block;
  h.resize(p);
  std::vector<double> z;
  for (size_t r = 0; r < layer.workload.repeats(); ++r) {
    std::vector<double> v = h;
    for (size_t s = 0; s < 4; ++s) {
      std::vector<double> products(p);
      for (size_t row = 0; row < p; ++row) {
        const float* w = &layer.weight[((r * 4 + s) * p + row) * block];
        for (size_t i = 0; i < block; ++i) products[row] += w[i] * v[row / block * block + i];
      }
      hadamard(products);
      v = products;
    }
    const double decay = kDecay;
    for (size_t i = 0; i < p; ++i) z.push_back(decay * v[i] + (1 - decay) * h[i]);
  }
  z.resize(layer.projection_bias.size());
  return z;
}

}  // namespace

NaiveHash naive_hash(const SyntheticLayer& layer, const float* x) {
  const Workload& workload = layer.workload;
  const std::vector<double> h = layer_norm(layer, x);
  NaiveHash hash;
  hash.z = workload.projection == LOOKUPFFN_DENSE ? dense(layer, h) : bh4(layer, h);
  for (size_t t = 0; t < workload.tables; ++t) {
    int32_t code = 0;
    double sum = 0, product = 1;
    for (size_t j = 0; j < workload.bits; ++j) {
      double& z = hash.z[t * workload.bits + j];
      z += layer.projection_bias[t * workload.bits + j];
      code = code * 2 + (z > 0);
      sum += std::fabs(z);
      product *= 1 + std::exp(-2 * std::fabs(z));
    }
    hash.code.push_back(code);
    hash.score.push_back(sum / product);
  }
  return hash;
}

std::vector<double> naive_gather(const SyntheticLayer& layer, const int32_t* code, const double* score) {
  const Workload& workload = layer.workload;
  std::vector<double> y(layer.bias.begin(), layer.bias.end());
  for (size_t t = 0; t < workload.tables; ++t) {
    const float* row = &layer.table[(t * workload.rows() + code[t]) * workload.d];
    for (size_t i = 0; i < workload.d; ++i) y[i] += score[t] * row[i];
  }
  return y;
}

std::vector<double> naive_dense_ffn(const DenseFfn& ffn, const float* x) {
  std::vector<double> y(ffn.b2.begin(), ffn.b2.end());
  for (size_t k = 0; k < ffn.hidden; ++k) {
    double up = ffn.b1[k];
    for (size_t i = 0; i < ffn.d; ++i) up += static_cast<double>(ffn.w1[k * ffn.d + i]) * x[i];
    const double activation = 0.5 * up * (1 + std::erf(up / std::sqrt(2.0)));
    for (size_t o = 0; o < ffn.d; ++o) y[o] += ffn.w2[o * ffn.hidden + k] * activation;
  }
  return y;
}

}  // namespace lookupffn::bench
