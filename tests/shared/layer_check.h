// Runs a layer every way that matters and compares with the reference: what the tests of generic and of
// specialised kernels share.
#ifndef LOOKUPFFN_TESTS_LAYER_CHECK_H
#define LOOKUPFFN_TESTS_LAYER_CHECK_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.hpp"
#include "lookupffn_formulas.h"
#include "plain_layer.h"

namespace lookupffn::checks {

// What a layer is packed for.
struct Variant {
  std::string isa;
  lookupffn_kernels kernels = LOOKUPFFN_GENERIC_KERNELS;
  lookupffn_type table_type = LOOKUPFFN_F32, projection_type = LOOKUPFFN_F32;
};

std::string describe(const lookupffn_shape& shape);
std::string describe(const Variant& variant);

// From the text that lookupffn_add_kernels takes: "d_in=48 d_out=17 tables=5 bits=7 projection=bh4 block=16".
lookupffn_shape shape_from(const std::string& text);

// ISAs that are built in and that this machine runs, from the plainest to the widest; never empty.
std::vector<std::string> runnable_isas();

// The types that tables can be packed as.
std::vector<lookupffn_type> table_types();

// The layer with tables that the type stores as they are: eighths of whole numbers up to the type's largest, which is in each
// row. Rounding then excuses nothing.
reference::Layer with_exact_tables(reference::Layer layer, lookupffn_type type);

// A layer with made-up weights, tokens for it, and what the reference makes of them.
class LayerCase {
 public:
  LayerCase(const lookupffn_shape& shape, uint64_t seed, size_t tokens)
      : LayerCase(reference::random_layer(shape, seed), seed, tokens) {}
  LayerCase(reference::Layer layer, uint64_t seed, size_t tokens);
  // With rows of x of the caller's choice.
  LayerCase(reference::Layer layer, uint64_t seed, std::vector<float> x);

  const lookupffn_shape& shape() const { return layer_.shape; }
  const reference::Layer& layer() const { return layer_; }
  const std::vector<float>& x() const { return x_; }  // [tokens, d_in]
  Layer pack(const Variant& variant) const;

  // Packs the layer, and for each of `counts` (at most the case's tokens) runs hash, forward and gather on so
  // many tokens. The counts go through different rows of x, strides (contiguous, wider, negative, huge; rows
  // of x that are all one), and, where d_in = d_out, the residual. Expects
  // - codes, scores and y within the tolerances of the reference,
  // - the same bits of a token whichever batch it came in, and from gather as from forward,
  // - nothing read or written beside the rows.
  // exact_tables: with_exact_tables() made the layer, for the variant's table type.
  void check(const Variant& variant, const std::vector<size_t>& counts, bool exact_tables = false) const;

 private:
  // With the weights that a bf16 projection really has.
  const reference::Result& expected(lookupffn_type projection_type) const;

  reference::Layer layer_;
  uint64_t seed_;
  std::vector<uint8_t> bytes_;
  std::unique_ptr<Model> model_;
  std::vector<float> x_;
  reference::Result expected_;
  mutable std::unique_ptr<reference::Result> expected_bf16_;
};

// The gather of a layer whose f32 tables take 2.3 GiB, on each of the ISAs: d_in 1, d_out 1024, 9 tables, 16 bits,
// dense.
bool memory_for_huge_tables();
void check_huge_tables(lookupffn_kernels kernels, const std::vector<std::string>& isas);

}  // namespace lookupffn::checks
#endif
