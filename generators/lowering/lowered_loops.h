// What lowering passes look for in a lowered statement, and how they name a place in memory.
#ifndef LOOKUPFFN_LOWERED_LOOPS_H
#define LOOKUPFFN_LOWERED_LOOPS_H

#include <string>

#include "Halide.h"

namespace lookupffn {

// Whether a loop runs over a variable: its name is the stage's, then the variable's. Where Halide has cut off iterations that
// do nothing, the loop begins at 0 and its name says so.
inline bool is_loop_over(const Halide::Internal::For* loop, const std::string& variable) {
  const std::string rebased = ".rebased";
  std::string name = loop->name;
  if (Halide::Internal::ends_with(name, rebased)) name.resize(name.size() - rebased.size());
  return name.size() >= variable.size() && name.compare(name.size() - variable.size(), variable.size(), variable) == 0;
}

// The address of a byte of a buffer; byte: of 64 bits.
inline Halide::Expr address_of(const std::string& buffer, const Halide::Expr& byte) {
  using namespace Halide;
  // The buffer's name is a variable that holds its address.
  const Expr start = reinterpret<uint64_t>(Internal::Variable::make(type_of<void*>(), buffer));
  return reinterpret(type_of<void*>(), start + cast<uint64_t>(byte));
}

}  // namespace lookupffn
#endif
