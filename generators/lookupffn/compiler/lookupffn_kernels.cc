// A LookupFFN layer for the offline tools: its shape as text, and its kernels.
#include <algorithm>
#include <stdexcept>

#include "compiler_family.h"
#include "cost_terms.h"
#include "lookupffn_costs.h"
#include "packed_kernels.h"
#include "tensor_limits.h"
#include "training_step_kernels.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

LayerShape shape_of(ShapeText& text) {
  LayerShape shape;
  shape.projection = text.word("projection", "bh4");
  if (shape.projection != "bh4" && shape.projection != "dense") {
    throw std::runtime_error("projection=" + shape.projection + " is neither bh4 nor dense");
  }
  shape.d_in = text.number("d_in", 0, 1, kMaxWidth);
  shape.d_out = text.number("d_out", shape.d_in, 1, kMaxWidth);
  shape.tables = text.number("tables", 0, 1, kMaxTables);
  shape.bits = text.number("bits", 8, 1, kMaxBits);
  shape.rows = int64_t{1} << shape.bits;
  shape.lookups = shape.tables;
  if (shape.projection == "bh4") {
    const int64_t p = int64_t(power_of_two_from(size_t(shape.d_in)));
    shape.block = text.number("block", std::min<int64_t>(64, p), 1, p);
    if (p % shape.block != 0) throw std::runtime_error("block=" + std::to_string(shape.block) + " is not a power of two");
    shape.repeats = std::max<int64_t>(1, (shape.tables * shape.bits + p - 1) / p);
  }
  text.finish("d_in, d_out, tables, bits, projection and, for bh4, block");
  return shape;
}

std::string describe_shape(const LayerShape& shape) {
  std::string text = "d_in=" + std::to_string(shape.d_in) + " d_out=" + std::to_string(shape.d_out) +
                     " tables=" + std::to_string(shape.tables) + " bits=" + std::to_string(shape.bits) +
                     " projection=" + shape.projection;
  if (shape.projection == "bh4") text += " block=" + std::to_string(shape.block);
  return text;
}

std::vector<KernelSpec> kernels_of(const ScheduleSpaces& spaces, const LayerShape& shape, const std::string& isa,
                                   const std::string& table_type, const std::string& projection_type) {
  LayerExtents extents;
  extents.bh4 = shape.projection == "bh4";
  extents.d_in = size_t(shape.d_in);
  extents.d_out = size_t(shape.d_out);
  extents.tables = size_t(shape.tables);
  extents.bits = size_t(shape.bits);
  extents.block = size_t(shape.block);
  extents.repeats = size_t(shape.repeats);
  return packed_kernels(spaces, PackedShape(extents), isa, table_type, projection_type);
}

int64_t whole(const KernelSpec& spec, const char* name) { return int64_t(number_of(spec.problem, name, 0)); }

// A layer that hashes a single float.
TypedShape layer_of_gather(const KernelSpec& spec) {
  TypedShape layer;
  layer.shape.projection = "dense";
  layer.shape.d_in = 1;
  layer.shape.d_out = whole(spec, "d_out");
  layer.shape.tables = layer.shape.lookups = whole(spec, "tables");
  layer.shape.bits = whole(spec, "bits");
  layer.shape.rows = int64_t{1} << layer.shape.bits;
  layer.table_type = weight_type_of(spec.problem.at("table_type")).name;
  return layer;
}

bool has_layer_norm(const KernelSpec& spec) { return spec.problem.count("norm") == 0; }

bool gather_is_large(const KernelSpec& spec) {
  // A generic kernel does not know its tables' size: it may be any.
  if (whole(spec, "d_out") == 0) return true;
  return lookupffn_work(layer_of_gather(spec)).retriever.footprint_bytes >= kLargeBuffer;
}

// Of the layers' kernels, then of training steps'.
std::vector<KernelDescription> descriptions() {
  std::vector<KernelDescription> all = {{"hash", LayerPart::kAddresser, packed_layer_of_hash, hash_cost, hash_is_large, true,
                                         one_token_kernels, has_layer_norm, hash_loop_nest},
                                        {"gather", LayerPart::kRetriever, layer_of_gather, gather_cost, gather_is_large, false,
                                         nullptr, nullptr, gather_loop_nest}};
  for (const KernelDescription& kernel : training_step_kernels()) all.push_back(kernel);
  return all;
}

}  // namespace

extern const CompilerFamily lookupffn_compiler_family;
const CompilerFamily lookupffn_compiler_family = {"lookupffn",
                                                  shape_of,
                                                  describe_shape,
                                                  kernels_of,
                                                  lookupffn_work,
                                                  descriptions(),
                                                  {
#define LOOKUPFFN_WORKLOAD(name, shape) {#name, shape},
#include "../workloads.def"
#undef LOOKUPFFN_WORKLOAD
                                                  }};

}  // namespace lookupffn
