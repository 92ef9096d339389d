// Fast feed-forward trees in the comparison: against the dense network that they take the place of.
#include <algorithm>

#include "compared_family.h"

namespace lookupffn::bench {
namespace {

std::unique_ptr<ComparedLayer> make_layer(const std::string& name, const LayerShape& shape, const InputOptions& options) {
  expect_random_codes(shape.family, options.codes);
  auto layer =
      std::make_unique<ComparedLayer>(name, shape, reference::reference_family(shape.family).random_model(c_shape(shape), 1));
  // Two ways down for each node of the trees' last level, or more.
  layer->ring = hashed_ring(*layer, std::max(2 * size_t(shape.rows), 2 * options.largest_call));
  layer->facts = "the ways down of random inputs";
  layer->parts = {Part::kAll, Part::kHash};
  // A leaf has a network of its own: there is nothing to gather, and the nodes on the way to it are not its codes.
  const bool leaves = shape.block > 0;
  if (!leaves) layer->parts.push_back(Part::kGather);
  layer->addresser_reads_rows = !leaves;
  const size_t d_in = size_t(shape.d_in);
  layer->dense = make_dense_network({d_in, 4 * d_in, size_t(shape.d_out)});
  return layer;
}

}  // namespace

extern const ComparedFamily fff_compared_family;
const ComparedFamily fff_compared_family = {"fff", make_layer, dense_contenders};

}  // namespace lookupffn::bench
