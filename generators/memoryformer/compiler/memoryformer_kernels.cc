// A MemoryFormer layer for the offline tools: its shape as text, and its kernels.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "compiler_family.h"
#include "cost_terms.h"
#include "lookupffn_costs.h"
#include "memoryformer_rules.h"
#include "packed_kernels.h"
#include "tensor_limits.h"

namespace lookupffn {
namespace {

LayerShape shape_of(ShapeText& text) {
  LayerShape shape;
  shape.projection = text.word("projection", "none");
  if (shape.projection != "none" && shape.projection != "dense") {
    throw std::runtime_error("projection=" + shape.projection + " is neither none nor dense");
  }
  shape.tables = text.number("tables", 0, 1, kMaxTables);
  shape.bits = text.number("bits", 8, 1, kMaxBits);
  const int64_t outputs = shape.tables * shape.bits;
  shape.d_in = text.number("d_in", outputs, 1, kMaxWidth);
  if (shape.projection == "none" && shape.d_in != outputs) {
    throw std::runtime_error("d_in=" + std::to_string(shape.d_in) +
                             " is not tables * bits, as it must be without a projection");
  }
  if (shape.d_in > int64_t(kMaxWidth)) {
    throw std::runtime_error("d_in, tables * bits, is " + std::to_string(shape.d_in) + "; " + std::to_string(kMaxWidth) +
                             " is the most");
  }
  shape.d_out = text.number("d_out", shape.d_in, 1, kMaxWidth);
  shape.rows = int64_t{1} << shape.bits;
  shape.lookups = shape.tables;
  text.finish("d_in, d_out, tables, bits and projection");
  return shape;
}

std::string describe_shape(const LayerShape& shape) {
  return "d_in=" + std::to_string(shape.d_in) + " d_out=" + std::to_string(shape.d_out) +
         " tables=" + std::to_string(shape.tables) + " bits=" + std::to_string(shape.bits) + " projection=" + shape.projection;
}

std::vector<KernelSpec> kernels_of(const ScheduleSpaces& spaces, const LayerShape& shape, const std::string& isa,
                                   const std::string& table_type, const std::string& projection_type) {
  LayerExtents extents;
  extents.d_in = size_t(shape.d_in);
  extents.d_out = size_t(shape.d_out);
  extents.tables = size_t(shape.tables);
  extents.bits = size_t(shape.bits);
  extents.rules = memoryformer_rules(shape.projection != "none");
  return packed_kernels(spaces, PackedShape(extents), isa, table_type, projection_type);
}

LayerWork work_of(const TypedShape& layer) {
  LayerWork work = lookupffn_work(layer);
  if (layer.shape.projection != "none") return work;
  // A sum and a product of the score for each z.
  work.addresser = Work();
  work.addresser.flops = 2 * double(layer.shape.d_in);
  return work;
}

// A layer whose tables have rows of one float.
TypedShape layer_of_code_and_score(const KernelSpec& spec) {
  TypedShape layer;
  layer.shape.family = "memoryformer";
  layer.shape.projection = "none";
  layer.shape.d_out = 1;
  layer.shape.tables = layer.shape.lookups = int64_t(number_of(spec.problem, "tables", 0));
  layer.shape.bits = int64_t(number_of(spec.problem, "bits", 0));
  layer.shape.rows = int64_t{1} << layer.shape.bits;
  layer.shape.d_in = layer.shape.tables * layer.shape.bits;
  return layer;
}

// Of LookupFFN's hash: without LayerNorm.
bool calls_hash(const KernelSpec& spec) { return spec.problem.count("norm") > 0; }

TypedShape layer_of_hash(const KernelSpec& spec) {
  TypedShape layer = packed_layer_of_hash(spec);
  layer.shape.family = "memoryformer";
  return layer;
}

double code_and_score_cost(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes&) {
  const double lanes = vector_bytes_of(spec, schedule) / 4, tile = std::max(1.0, number_of(schedule, "token_tile", 1));
  // Some twenty instructions for a vector of z, of which two start a cycle, and the call.
  const double vectors = std::ceil(number_of(spec.problem, "tables", 1) / lanes) * number_of(spec.problem, "bits", 1);
  return vectors * 10 * 0.4 + 40 / std::min(tile, tokens);
}

}  // namespace

// hash and gather are LookupFFN's kernels; a gather is measured in a layer of LookupFFN.
extern const CompilerFamily memoryformer_compiler_family;
const CompilerFamily memoryformer_compiler_family = {
    "memoryformer",
    shape_of,
    describe_shape,
    kernels_of,
    work_of,
    {{"code_and_score", LayerPart::kAddresser, layer_of_code_and_score, code_and_score_cost, nullptr, false, one_token_kernels},
     {"hash", LayerPart::kAddresser, layer_of_hash, hash_cost, hash_is_large, true, one_token_kernels, calls_hash,
      hash_loop_nest}},
    {
#define LOOKUPFFN_WORKLOAD(name, shape) {#name, shape},
#include "../workloads.def"
#undef LOOKUPFFN_WORKLOAD
    }};

}  // namespace lookupffn
