#include "dense_network.h"

#include <algorithm>
#include <cmath>

#include "random_numbers.h"

namespace lookupffn::bench {

size_t DenseNetwork::widest() const {
  size_t widest = 0;
  for (const Product& product : products) widest = std::max(widest, product.out);
  return widest;
}

double DenseNetwork::weights() const {
  double count = 0;
  for (const Product& product : products) count += double(product.w.size());
  return count;
}

std::string DenseNetwork::name() const {
  std::string text = std::to_string(d_in());
  for (const Product& product : products) text += "-" + std::to_string(product.out);
  return text;
}

DenseNetwork make_dense_network(const std::vector<size_t>& widths) {
  RandomNumbers random(3);
  const auto spread = [&random](size_t count, float deviation) {
    std::vector<float> values(count);
    for (float& value : values) value = random.spread(deviation);
    return values;
  };
  DenseNetwork network;
  for (size_t k = 0; k + 1 < widths.size(); ++k) {
    const size_t in = widths[k], out = widths[k + 1];
    network.products.push_back({in, out, spread(out * in, 1 / std::sqrt(float(in))), spread(out, 0.1f)});
  }
  return network;
}

std::vector<double> naive_dense_network(const DenseNetwork& network, const float* x) {
  std::vector<double> values(x, x + network.d_in());
  for (size_t k = 0; k < network.products.size(); ++k) {
    const DenseNetwork::Product& product = network.products[k];
    std::vector<double> next(product.b.begin(), product.b.end());
    for (size_t o = 0; o < product.out; ++o) {
      for (size_t i = 0; i < product.in; ++i) next[o] += double(product.w[o * product.in + i]) * values[i];
      if (k + 1 < network.products.size()) next[o] *= 0.5 * (1 + std::erf(next[o] / std::sqrt(2.0)));
    }
    values = std::move(next);
  }
  return values;
}

}  // namespace lookupffn::bench
