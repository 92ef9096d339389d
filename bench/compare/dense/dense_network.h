// The dense network that a lookup layer stands in for: products with a GELU between them.
#ifndef LOOKUPFFN_BENCH_DENSE_NETWORK_H
#define LOOKUPFFN_BENCH_DENSE_NETWORK_H

#include <cstddef>
#include <string>
#include <vector>

namespace lookupffn::bench {

struct DenseNetwork {
  struct Product {
    size_t in, out;
    std::vector<float> w, b;  // [out, in], [out]
  };
  std::vector<Product> products;

  bool empty() const { return products.empty(); }
  size_t d_in() const { return products.front().in; }
  size_t d_out() const { return products.back().out; }
  size_t widest() const;   // of the outputs
  double weights() const;  // of all products; each is in one product an input
  double flops() const { return 2 * weights(); }
  std::string name() const;  // "768-3072-768"
};

// With random weights: widths are those of the input, of what is between the products, and of the output. The exact (erf) GELU
// follows each product but the last.
DenseNetwork make_dense_network(const std::vector<size_t>& widths);

// In float64, for one input: what contenders are checked against before they are timed.
std::vector<double> naive_dense_network(const DenseNetwork& network, const float* x);

}  // namespace lookupffn::bench
#endif
