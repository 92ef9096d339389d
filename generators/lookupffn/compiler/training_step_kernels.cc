#include "training_step_kernels.h"

#include <algorithm>

#include "cost_terms.h"
#include "lookupffn_costs.h"

namespace lookupffn {
namespace {

// A step of 512 tokens takes some ten milliseconds, and neither the tables nor the optimiser's moments of them stay in a
// second-level cache.
TypedShape measured_layer(const KernelSpec&) {
  TypedShape layer;
  layer.shape.projection = "bh4";
  layer.shape.d_in = layer.shape.d_out = 512;
  layer.shape.tables = layer.shape.lookups = 16;
  layer.shape.bits = 8;
  layer.shape.rows = int64_t{1} << layer.shape.bits;
  layer.shape.block = 64;
  layer.shape.repeats = 1;
  return layer;
}

// Of rows that a token picks, as if no other token of the step picked them: 7 floats go through memory for each of a row's
// (the gradient and three that are read and written), and 8 operations are done on them.
Work row_adam_work(const TypedShape& layer) {
  const Work gather = lookupffn_work(layer).retriever;
  Work work;
  work.flops = 4 * gather.flops;
  work.row_bytes = 7 * gather.row_bytes;
  work.footprint_bytes = 3 * gather.footprint_bytes;
  return work;
}

// A token's row of d_y and a table's row: each is read from a cache, the row of the table from memory once a step.
Work row_dots_work(const TypedShape& layer) {
  Work work = lookupffn_work(layer).retriever;
  work.row_bytes *= 2;
  return work;
}

}  // namespace

std::vector<KernelDescription> training_step_kernels() {
  const auto kernel = [](const char* name, LayerPart part, Work (*work)(const TypedShape&)) {
    KernelDescription description{name, part, measured_layer, nullptr, nullptr, false, nullptr};
    description.of_training_steps = true;
    description.work = work;
    return description;
  };
  return {kernel("generic_row_adam", LayerPart::kRetriever, row_adam_work),
          kernel("generic_row_dots", LayerPart::kRetriever, row_dots_work),
          kernel("generic_row_sums", LayerPart::kRetriever, row_dots_work),
          kernel("generic_weight_gradient", LayerPart::kAddresser, nullptr)};
}

}  // namespace lookupffn
