// Which kernel is meant: what it computes, for which shape, ISA and batch class.
#ifndef LOOKUPFFN_KERNEL_SPEC_H
#define LOOKUPFFN_KERNEL_SPEC_H

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
  std::string batch_class;  // "one" (1 token), "small" or "large" (runtime/src/batch_class.h)
  // hash:   bits block d_in projection(bh4|dense) projection_type(f32|bf16x3|bf16) repeats tables; dense: repeats = 0
  // gather: bits d_out table_type(f32|bf16|i8|i8_dot4) tables
  std::map<std::string, std::string> problem;

  bool operator==(const KernelSpec& other) const;
  bool operator<(const KernelSpec& other) const;
};

// The problem in a form for file and function names: numbers with their names, words alone, as in
// "bits8-block64-din512-bh4-f32-repeats2-tables128".
std::string problem_key(const KernelSpec& spec);

// For messages: "hash avx512 small (bits=8 block=64 ...)".
std::string describe(const KernelSpec& spec);

}  // namespace lookupffn
#endif
