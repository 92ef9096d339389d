// Fetching weights of nodes ahead: of a node whose turn comes later, or of both children before it is known
// which is next.
#ifndef LOOKUPFFN_NODE_PREFETCH_H
#define LOOKUPFFN_NODE_PREFETCH_H

#include <string>

#include "Halide.h"

namespace lookupffn {

// A lowering pass. Behind every store of a node to `nodes`, it fetches the first `lines` cache lines of
// `count` rows of a tree's weights, from row `factor` node + `offset` on: 1, 0, 1 is the node's own row; 2,
// 1, 2 are its children's.
class NodePrefetch : public Halide::Internal::IRMutator {
 public:
  NodePrefetch(const std::string& nodes, const std::string& weights, int row_bytes, int factor, int offset, int count,
               int lines)
      : nodes_(nodes),
        weights_(weights),
        row_bytes_(row_bytes),
        factor_(factor),
        offset_(offset),
        count_(count),
        lines_(lines) {}

 private:
  using Halide::Internal::IRMutator::visit;
  Halide::Internal::Stmt visit(const Halide::Internal::Store* store) override;

  const std::string nodes_, weights_;
  const int row_bytes_, factor_, offset_, count_, lines_;
};

}  // namespace lookupffn
#endif
