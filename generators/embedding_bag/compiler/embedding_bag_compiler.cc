// An embedding bag for the offline tools: its shape as text, and which kernels it needs.
#include "bag_layout.h"
#include "compiler_family.h"

namespace lookupffn {
namespace {

LayerShape shape_of(ShapeText& text) {
  LayerShape shape;
  shape.projection = "none";
  shape.tables = 1;
  shape.d_out = text.number("d_out", 0, 1, int64_t(kMaxBagWidth));
  // No kernel depends on the rows.
  shape.rows = text.number("rows", 0, 1, int64_t(kMaxBagElements) / shape.d_out);
  text.finish("rows and d_out");
  return shape;
}

std::string describe_shape(const LayerShape& shape) {
  return "rows=" + std::to_string(shape.rows) + " d_out=" + std::to_string(shape.d_out);
}

std::vector<KernelSpec> kernels_of(const ScheduleSpaces& spaces, const LayerShape& shape, const std::string& isa,
                                   const std::string& table_type, const std::string&) {
  std::vector<KernelSpec> specs;
  for (const ScheduleSpace::BatchClass& batch : spaces.of("embedding_bag").batch_classes()) {
    specs.push_back({"embedding_bag", isa, batch.name, parse_pairs(bag_problem(size_t(shape.d_out), table_type)), batch.min_tokens,
                     batch.max_tokens});
  }
  return specs;
}

}  // namespace

extern const CompilerFamily embedding_bag_compiler_family;
const CompilerFamily embedding_bag_compiler_family = {"embedding_bag", shape_of, describe_shape, kernels_of};

}  // namespace lookupffn
