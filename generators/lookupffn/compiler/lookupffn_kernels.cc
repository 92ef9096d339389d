// A LookupFFN layer for the offline tools: its shape as text, and which kernels it needs.
#include <algorithm>
#include <stdexcept>

#include "compiler_family.h"
#include "packed_kernels.h"
#include "tensor_limits.h"

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

}  // namespace

extern const CompilerFamily lookupffn_compiler_family;
const CompilerFamily lookupffn_compiler_family = {"lookupffn", shape_of, describe_shape, kernels_of};

}  // namespace lookupffn
