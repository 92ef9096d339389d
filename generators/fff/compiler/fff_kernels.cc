// A fast feed-forward layer for the offline tools: its shape as text, its kernels, and what a token takes.
#include <algorithm>
#include <stdexcept>

#include "compiler_family.h"
#include "cost_terms.h"
#include "fff_costs.h"
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
  text.finish(
      "d_in, d_out, tables (trees), rows (nodes of a tree) and, for leaves with a network, block (its "
      "width)");
  const bool leaves = shape.block > 0;
  if (!is_power_of_two(size_t(shape.rows) + (leaves ? 0 : 1))) {
    throw std::runtime_error("rows=" + std::to_string(shape.rows) +
                             (leaves ? " is not a power of two" : " is not a power of two less one"));
  }
  if (leaves && shape.tables != 1) throw std::runtime_error("leaves with a network are of one tree: tables=1");
  const FffShape fff = fff_shape_of(shape);
  if (fff.depth > kMaxFffDepth || largest_tensor(fff) > kMaxFffElements)
    throw std::runtime_error("a tensor of it passes 2 GiB");
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
                                   const std::string&,
                                   const std::string&) {  // tables are f32 whatever others have
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
    add("fff_rows", fff.rows_problem());
  }
  return specs;
}

// What a token takes: the logits of its ways down, then their rows or its leaf's network.
LayerWork work_of(const TypedShape& layer) {
  const FffShape fff = fff_shape_of(layer.shape);
  const double d_in = double(fff.d_in), d_out = double(fff.d_out), trees = double(fff.trees),
               logits = trees * double(fff.logits());
  LayerWork work;
  work.addresser.flops = 2 * logits * d_in;
  work.addresser.row_bytes = logits * (d_in + 1) * sizeof(float);
  work.addresser.footprint_bytes = trees * double(fff.nodes()) * (d_in + 1) * sizeof(float);
  if (fff.has_leaves()) {
    const double hidden = double(fff.hidden), weights = hidden * (d_in + d_out);
    work.retriever.flops = 2 * weights;
    work.retriever.row_bytes = (weights + hidden + d_out) * sizeof(float);
    work.retriever.footprint_bytes = double(fff.leaves()) * work.retriever.row_bytes;
  } else {
    const double row = d_out * sizeof(float);
    work.retriever.flops = 2 * double(fff.path()) * d_out;
    work.retriever.row_bytes = double(fff.path()) * row;
    work.retriever.footprint_bytes = trees * double(fff.nodes()) * row;
  }
  return work;
}

int64_t whole(const KernelSpec& spec, const char* name) { return int64_t(number_of(spec.problem, name, 0)); }

TypedShape layer_of(int64_t d_in, int64_t d_out, int64_t trees, int64_t depth, int64_t hidden) {
  TypedShape layer;
  layer.shape.family = "fff";
  layer.shape.projection = "none";
  layer.shape.d_in = d_in;
  layer.shape.d_out = d_out;
  layer.shape.tables = trees;
  layer.shape.rows = hidden > 0 ? int64_t{1} << depth : (int64_t{2} << depth) - 1;
  layer.shape.block = hidden;
  layer.shape.lookups = hidden > 0 ? 1 : trees * (depth + 1);
  return layer;
}

TypedShape layer_of_descent(const KernelSpec& spec) {
  return layer_of(whole(spec, "d_in"), 1, whole(spec, "trees"), whole(spec, "depth"),
                  spec.problem.at("form") == "leaves" ? 1 : 0);
}

TypedShape layer_of_rows(const KernelSpec& spec) {
  return layer_of(1, whole(spec, "d_out"), whole(spec, "trees"), whole(spec, "depth"), 0);
}

// As the first product of a leaf's network, of a tree of two leaves.
TypedShape layer_of_product(const KernelSpec& spec) { return layer_of(whole(spec, "inputs"), 1, 1, 1, whole(spec, "outputs")); }

}  // namespace

extern const CompilerFamily fff_compiler_family;
const CompilerFamily fff_compiler_family = {
    "fff",
    shape_of,
    describe_shape,
    kernels_of,
    work_of,
    {{"fff_descent", LayerPart::kAddresser, layer_of_descent, fff_descent_cost, nullptr, false, nullptr},
     {"fff_rows", LayerPart::kRetriever, layer_of_rows, fff_rows_cost, nullptr, false, nullptr},
     {"fff_leaf_product", LayerPart::kRetriever, layer_of_product, fff_leaf_product_cost, nullptr, false, nullptr}},
    {
#define LOOKUPFFN_WORKLOAD(name, shape) {#name, shape},
#include "../workloads.def"
#undef LOOKUPFFN_WORKLOAD
    }};

}  // namespace lookupffn
