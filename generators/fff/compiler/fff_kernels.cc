// A fast feed-forward layer for the offline tools: its shape as text, and which kernels it needs.
#include <algorithm>
#include <stdexcept>

#include "compiler_family.h"
#include "fff_shape.h"
#include "tensor_limits.h"

namespace lookupffn {
namespace {

FffShape fff_shape_of(const LayerShape& shape) {
  return FffShape(size_t(shape.d_in), size_t(shape.d_out), size_t(shape.tables), size_t(shape.rows), size_t(shape.block));
}

LayerShape shape_of(ShapeText& text) {
  LayerShape shape;
  shape.projection = "none";
  shape.d_in = text.number("d_in", 0, 1, kMaxWidth);
  shape.d_out = text.number("d_out", shape.d_in, 1, kMaxWidth);
  shape.tables = text.number("tables", 1, 1, kMaxTables);
  shape.rows = text.number("rows", 0, 1, int64_t{2} << kMaxFffDepth);
  if (text.has("block")) shape.block = text.number("block", 0, 1, kMaxWidth);
  text.finish("d_in, d_out, tables (trees), rows (nodes of a tree) and, for leaves with a network, block (its width)");
  const bool leaves = shape.block > 0;
  if (!is_power_of_two(size_t(shape.rows) + (leaves ? 0 : 1))) {
    throw std::runtime_error("rows=" + std::to_string(shape.rows) + (leaves ? " is not a power of two" : " is not a power of two less one"));
  }
  if (leaves && shape.tables != 1) throw std::runtime_error("leaves with a network are of one tree: tables=1");
  const FffShape fff = fff_shape_of(shape);
  if (fff.depth > kMaxFffDepth || largest_tensor(fff) > kMaxFffElements) throw std::runtime_error("a tensor of it passes 2 GiB");
  shape.lookups = leaves ? 1 : int64_t(fff.path());
  return shape;
}

std::string describe_shape(const LayerShape& shape) {
  std::string text = "d_in=" + std::to_string(shape.d_in) + " d_out=" + std::to_string(shape.d_out) +
                     " tables=" + std::to_string(shape.tables) + " rows=" + std::to_string(shape.rows);
  if (shape.block > 0) text += " block=" + std::to_string(shape.block);
  return text;
}

std::vector<KernelSpec> kernels_of(const ScheduleSpaces& spaces, const LayerShape& shape, const std::string& isa,
                                   const std::string& table_type, const std::string&) {
  const FffShape fff = fff_shape_of(shape);
  std::vector<KernelSpec> specs;
  const auto add = [&](const char* kernel, const std::string& problem) {
    for (const ScheduleSpace::BatchClass& batch : spaces.of(kernel).batch_classes()) {
      const KernelSpec spec{kernel, isa, batch.name, parse_pairs(problem), batch.min_tokens, batch.max_tokens};
      if (std::find(specs.begin(), specs.end(), spec) == specs.end()) specs.push_back(spec);
    }
  };
  add("fff_descent", fff.descent_problem());
  if (fff.has_leaves()) {
    add("fff_leaf_product", fff.hidden_problem());
    add("fff_leaf_product", fff.output_problem());
  } else {
    add("fff_rows", fff.rows_problem(table_type));
  }
  return specs;
}

}  // namespace

extern const CompilerFamily fff_compiler_family;
const CompilerFamily fff_compiler_family = {"fff", shape_of, describe_shape, kernels_of};

}  // namespace lookupffn
