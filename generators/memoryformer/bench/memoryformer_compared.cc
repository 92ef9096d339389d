// MemoryFormer in the comparison: what computes the layer, or the dense layer that it takes the place of.
#include <algorithm>

#include "compared_family.h"
#include "compared_tables.h"

namespace lookupffn::bench {
namespace {

std::unique_ptr<ComparedLayer> make_layer(const std::string& name, const LayerShape& shape, const InputOptions& options) {
  expect_random_codes(shape.family, options.codes);
  auto layer =
      std::make_unique<ComparedTables>(name, shape, reference::reference_family(shape.family).random_model(c_shape(shape), 1));
  layer->ring = hashed_ring(*layer, std::max(16 * size_t(shape.rows), 2 * options.largest_call));
  layer->facts = "codes of random inputs";
  // A layer stands for one product, attention's query for one.
  layer->dense = make_dense_network({size_t(shape.d_in), size_t(shape.d_out)});
  return layer;
}

}  // namespace

extern const ComparedFamily memoryformer_compared_family;
const ComparedFamily memoryformer_compared_family = {"memoryformer", make_layer, table_contenders};

}  // namespace lookupffn::bench
