// An embedding bag for the offline tools: its shape as text, and which kernels it needs.
#include <algorithm>
#include <cmath>

#include "bag_layout.h"
#include "bag_work.h"
#include "compiler_family.h"
#include "cost_terms.h"
#include "weight_types.h"

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
    specs.push_back({"embedding_bag", isa, batch.name, parse_pairs(bag_problem(size_t(shape.d_out), table_type)),
                     batch.min_tokens, batch.max_tokens});
  }
  return specs;
}

// Of a bag.
LayerWork work_of(const TypedShape& layer) {
  const WeightType& type = weight_type_of(layer.table_type);
  const double d_out = double(layer.shape.d_out);
  const double ids = double(kIdsOfBag), row = weight_bytes(type, d_out) + (type.row_scales ? sizeof(float) : 0);
  LayerWork work;
  work.ids = ids;
  work.retriever.flops = ids * 2 * d_out;
  work.retriever.row_bytes = ids * row;
  work.retriever.footprint_bytes = row * double(layer.shape.rows);
  return work;
}

// No kernel depends on the rows: so many that no cache of a core holds them.
TypedShape layer_of(const KernelSpec& spec) {
  constexpr int64_t kElements = int64_t{1} << 24;
  TypedShape layer;
  layer.shape.family = "embedding_bag";
  layer.shape.projection = "none";
  layer.shape.tables = 1;
  layer.shape.d_out = int64_t(number_of(spec.problem, "d_out", 1));
  layer.shape.rows = std::max<int64_t>(1, kElements / layer.shape.d_out);
  layer.table_type = weight_type_of(spec.problem.at("table_type")).name;
  return layer;
}

// Of a bag: rows come from memory, sooner where they are fetched ahead, and each tile goes through the ids anew.
double cost_of(const KernelSpec& spec, const Schedule& schedule, double, const CacheSizes& caches) {
  const Work work = kernel_work(spec);
  const double d_out = number_of(spec.problem, "d_out", 1), lanes = vector_bytes_of(spec, schedule) / 4;
  const double tile = std::clamp(number_of(schedule, "d_tile", 64), lanes, std::max(d_out, lanes)), registers = tile / lanes;
  double reads = work.row_bytes / double(kIdsOfBag) / bytes_per_ns(work.footprint_bytes, caches);
  const double ahead = number_of(schedule, "prefetch_ids", 0);
  reads *= ahead == 0 ? 1.6 : ahead < 8 ? 1.2 : 1.0;
  const double widening = weight_type_of(spec.problem.at("table_type")).bits < 32 ? 1.6 : 1.0;
  const double compute = d_out / lanes * 0.25 * widening * spill_factor(registers + 2, spec) * std::max(1.0, 4 / registers);
  const double starts = std::ceil(d_out / tile) * 1.5;
  return double(kIdsOfBag) * (std::max(reads, compute) + 0.3 * std::min(reads, compute) + starts);
}

bool is_large(const KernelSpec&) { return true; }  // may be

}  // namespace

extern const CompilerFamily embedding_bag_compiler_family;
const CompilerFamily embedding_bag_compiler_family = {
    "embedding_bag",
    shape_of,
    describe_shape,
    kernels_of,
    work_of,
    {{"embedding_bag", LayerPart::kRetriever, layer_of, cost_of, is_large, false, nullptr}},
    {
#define LOOKUPFFN_WORKLOAD(name, shape) {#name, shape},
#include "../workloads.def"
#undef LOOKUPFFN_WORKLOAD
    }};

}  // namespace lookupffn
