#include "packed_kernels.h"

#include <set>

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
                     parse_pairs(packed.gather_problem(stored_type(table_type, isa_row(isa), packed.row))), batch.min_tokens,
                     batch.max_tokens});
  }
  return specs;
}

}  // namespace lookupffn
