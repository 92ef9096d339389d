// A LookupFFN layer for the offline tools: its shape as text, and which kernels it needs.
#include <algorithm>
#include <set>
#include <stdexcept>

#include "compiler_family.h"
#include "packed_shape.h"
#include "tensor_limits.h"
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

// The specs of hash (of each size of call that the layer is split into) and gather for every batch class of their spaces. Their
// problems are those of the packed layer.
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
  const PackedShape packed(extents);
  const std::string stored_projection = packed.stored_projection_type(projection_type, isa_row(isa));

  std::vector<KernelSpec> specs;
  for (const ScheduleSpace::BatchClass& batch : spaces.of("hash").batch_classes()) {
    std::set<std::string> problems;  // calls of one size share their kernels
    for (const HashCall& call : packed.calls) problems.insert(packed.hash_problem(call, stored_projection));
    if (batch.max_tokens == 1) {  // threads may share a single token
      for (const HashCall& call : packed.shared_calls) problems.insert(packed.hash_problem(call, stored_projection));
    }
    for (const std::string& problem : problems) specs.push_back({"hash", isa, batch.name, parse_pairs(problem), batch.min_tokens, batch.max_tokens});
  }
  for (const ScheduleSpace::BatchClass& batch : spaces.of("gather").batch_classes()) {
    specs.push_back({"gather", isa, batch.name, parse_pairs(packed.gather_problem(stored_type(table_type, isa_row(isa), packed.row))),
                     batch.min_tokens, batch.max_tokens});
  }
  return specs;
}

}  // namespace

extern const CompilerFamily lookupffn_compiler_family;
const CompilerFamily lookupffn_compiler_family = {"lookupffn", shape_of, describe_shape, kernels_of};

}  // namespace lookupffn
