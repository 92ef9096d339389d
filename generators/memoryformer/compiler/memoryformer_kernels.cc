// A MemoryFormer layer for the offline tools: its shape as text, and which kernels it needs.
#include <stdexcept>

#include "compiler_family.h"
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
    throw std::runtime_error("d_in=" + std::to_string(shape.d_in) + " is not tables * bits, as it must be without a projection");
  }
  if (shape.d_in > int64_t(kMaxWidth)) {
    throw std::runtime_error("d_in, tables * bits, is " + std::to_string(shape.d_in) + "; " + std::to_string(kMaxWidth) + " is the most");
  }
  shape.d_out = text.number("d_out", shape.d_in, 1, kMaxWidth);
  shape.rows = int64_t{1} << shape.bits;
  shape.lookups = shape.tables;
  text.finish("d_in, d_out, tables, bits and projection");
  return shape;
}

std::string describe_shape(const LayerShape& shape) {
  return "d_in=" + std::to_string(shape.d_in) + " d_out=" + std::to_string(shape.d_out) + " tables=" + std::to_string(shape.tables) +
         " bits=" + std::to_string(shape.bits) + " projection=" + shape.projection;
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

}  // namespace

extern const CompilerFamily memoryformer_compiler_family;
const CompilerFamily memoryformer_compiler_family = {"memoryformer", shape_of, describe_shape, kernels_of};

}  // namespace lookupffn
