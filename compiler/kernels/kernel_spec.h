// Which kernel is meant: what it computes, for which shape, ISA and batch class.
#ifndef LOOKUPFFN_KERNEL_SPEC_H
#define LOOKUPFFN_KERNEL_SPEC_H

#include <cstdint>
#include <map>
#include <string>

namespace lookupffn {

// "name=value" pairs with a single space between two, sorted by name: the canonical text of a map.
std::string canonical_text(const std::map<std::string, std::string>& pairs);

// The inverse. Any white space separates pairs. Throws std::runtime_error for a pair without '=' or with
// an empty name or value, and for a name that stands twice.
std::map<std::string, std::string> parse_pairs(const std::string& text);

struct KernelSpec {
  std::string kernel;       // the generator: "hash", "gather", ...
  std::string isa;          // "sse41", "avx2", ...
  std::string batch_class;  // one of its schedule space's: "one", "small", "large", ...
  // hash:   bits block d_in projection(bh4|dense) projection_type repeats tables; dense: repeats = 0
  // gather: bits d_out table_type tables
  // Types are those of registry/weight_types.def and storages.def.
  std::map<std::string, std::string> problem;

  uint32_t min_tokens = 0, max_tokens = UINT32_MAX;  // of the batch class; follow from it, so comparisons leave them out

  bool operator==(const KernelSpec& other) const;
  bool operator<(const KernelSpec& other) const;
};

// The capabilities of the ISA that the kernel's stored types need: it has instructions that other ISAs lack.
unsigned used_capabilities(const KernelSpec& spec);

// The problem in a form for file and function names: numbers with their names, words alone, as in
// "bits8-block64-din512-bh4-f32-repeats2-tables128".
std::string problem_key(const KernelSpec& spec);

// For messages: "hash avx512 small (bits=8 block=64 ...)".
std::string describe(const KernelSpec& spec);

}  // namespace lookupffn
#endif
