#include "node_prefetch.h"

#include <algorithm>

#include "lowered_loops.h"

namespace lookupffn {

using namespace Halide;
using namespace Halide::Internal;

Stmt NodePrefetch::visit(const Store* store) {
  if (store->name != nodes_) return IRMutator::visit(store);
  constexpr int kCacheLine = 64;
  const Expr node = Load::make(Int(32), nodes_, store->index, Buffer<>(), Parameter(), const_true(), ModulusRemainder());
  Stmt result = store;
  for (int row = 0; row < count_; ++row) {
    for (int line = 0; line < std::min(lines_, (row_bytes_ + kCacheLine - 1) / kCacheLine); ++line) {
      const Expr byte = cast<int64_t>(node * factor_ + offset_ + row) * row_bytes_ + line * kCacheLine;
      // The function is row_prefetch.h's.
      const Expr fetch = Call::make(Int(32), "lookupffn_prefetch", {address_of(weights_, byte)}, Call::Extern);
      result = Block::make(result, Evaluate::make(fetch));
    }
  }
  return result;
}

}  // namespace lookupffn
