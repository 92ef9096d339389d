// LookupFFN in the comparison: a synthetic layer, and what computes it or the dense feed-forward network in its place.
#include "compared_family.h"
#include "compared_tables.h"
#include "synthetic_layer.h"

namespace lookupffn::bench {
namespace {

std::unique_ptr<ComparedLayer> make_layer(const std::string& name, const LayerShape& shape, const InputOptions& options) {
  const SyntheticLayer synthetic = make_synthetic_layer(Workload(name, shape), codes_of_name(options.codes));
  auto layer = std::make_unique<ComparedTables>(name, shape, synthetic.model_bytes());
  TokenRing ring = make_token_ring(synthetic, options.largest_call);
  layer->ring.tokens = ring.tokens;
  layer->ring.x = std::move(ring.x);
  layer->ring.code = std::move(ring.code);
  layer->ring.score = std::move(ring.score);
  layer->facts = options.codes + " codes; dense networks are timed without, the others with LayerNorm";
  const size_t d_in = size_t(shape.d_in);
  layer->dense = make_dense_network({d_in, 4 * d_in, size_t(shape.d_out)});
  return layer;
}

}  // namespace

extern const ComparedFamily lookupffn_compared_family;
const ComparedFamily lookupffn_compared_family = {"lookupffn", make_layer, table_contenders};

}  // namespace lookupffn::bench
