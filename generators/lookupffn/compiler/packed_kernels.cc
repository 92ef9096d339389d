#include "packed_kernels.h"

#include <algorithm>
#include <set>

#include "cost_terms.h"
#include "lookupffn_costs.h"
#include "weight_types.h"

namespace lookupffn {

std::vector<KernelSpec> packed_kernels(const ScheduleSpaces& spaces, const PackedShape& packed, const std::string& isa,
                                       const std::string& table_type, const std::string& projection_type) {
  const std::string stored_projection = packed.stored_projection_type(projection_type, isa_row(isa));

  const char* const hash = packed.hash_kernel();
  std::vector<KernelSpec> specs;
  for (const ScheduleSpace::BatchClass& batch : spaces.of(hash).batch_classes()) {
    std::set<std::string> problems;  // calls of one size share their kernels
    for (const HashCall& call : packed.calls) problems.insert(packed.hash_problem(call, stored_projection));
    if (batch.max_tokens == 1) {  // threads may share a single token
      for (const HashCall& call : packed.shared_calls) problems.insert(packed.hash_problem(call, stored_projection));
    }
    for (const std::string& problem : problems) {
      specs.push_back({hash, isa, batch.name, parse_pairs(problem), batch.min_tokens, batch.max_tokens});
    }
  }
  for (const ScheduleSpace::BatchClass& batch : spaces.of("gather").batch_classes()) {
    specs.push_back({"gather", isa, batch.name,
                     parse_pairs(packed.gather_problem(packed.stored_table_type(table_type, isa_row(isa)))), batch.min_tokens,
                     batch.max_tokens});
  }
  return specs;
}

TypedShape packed_layer_of_hash(const KernelSpec& spec) {
  const auto whole = [&](const char* name) { return int64_t(number_of(spec.problem, name, 0)); };
  TypedShape layer;
  layer.shape.projection = spec.problem.at("projection");
  layer.shape.d_in = whole("d_in");
  layer.shape.d_out = 1;
  layer.shape.tables = layer.shape.lookups = whole("tables");
  layer.shape.bits = whole("bits");
  layer.shape.rows = int64_t{1} << layer.shape.bits;
  if (layer.shape.projection == "bh4") {
    layer.shape.block = whole("block");
    layer.shape.repeats = whole("repeats");
  }
  layer.projection_type = weight_type_of(spec.problem.at("projection_type")).name;
  return layer;
}

bool hash_is_large(const KernelSpec& spec) {
  const TypedShape layer = packed_layer_of_hash(spec);
  const WeightType& type = weight_type_of(layer.projection_type);
  // Offsets count words of 32 bits, or elements where they are larger.
  const double elements = lookupffn_work(layer).addresser.footprint_bytes / weight_bytes(type, 1);
  return elements * std::max(1.0, type.bits / 32.0) >= kLargeBuffer;
}

}  // namespace lookupffn
