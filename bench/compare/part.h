#ifndef LOOKUPFFN_BENCH_PART_H
#define LOOKUPFFN_BENCH_PART_H

namespace lookupffn::bench {

// What is timed of a layer.
enum class Part { kAll, kHash, kGather };
inline const char* name_of(Part part) { return part == Part::kAll ? "all" : part == Part::kHash ? "hash" : "gather"; }

}  // namespace lookupffn::bench
#endif
