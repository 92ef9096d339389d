// A LookupFFN layer, or one that is packed and run like it, for the contenders of its family: its weights as plain vectors.
#ifndef LOOKUPFFN_BENCH_COMPARED_TABLES_H
#define LOOKUPFFN_BENCH_COMPARED_TABLES_H

#include <string>
#include <utility>
#include <vector>

#include "compared_layer.h"
#include "contender.h"
#include "plain_layer.h"
#include "row_reads.h"

namespace lookupffn::bench {

class ComparedTables : public ComparedLayer {
 public:
  ComparedTables(std::string name, LayerShape shape, std::vector<uint8_t> file);

  const reference::Layer& weights() const { return weights_; }  // without its tables
  // [tables, rows, d_out], in huge pages as this library keeps them
  const float* table() const { return reinterpret_cast<const float*>(table_.data()); }

 private:
  reference::Layer weights_;
  HugeBuffer table_;
};

// Others that compute such a layer, a part of it, or the dense network in its place; their ComparedLayer is a ComparedTables.
std::vector<ContenderKind> table_contenders();

// One function a file; compared_tables.cc lists them.
ContenderKind plain_loop_contender();            // the whole layer
ContenderKind libtorch_layer_contender();        // the whole layer
ContenderKind libtorch_dense_layer_contender();  // the whole layer, BH4 as one matrix
ContenderKind libtorch_bags_contender();         // the gather
ContenderKind libxsmm_contender();               // the hash with BH4

inline const ComparedTables& tables_of(const ComparedLayer& layer) { return static_cast<const ComparedTables&>(layer); }

// Contenders of BH4 alone.
inline bool has_bh4(const LayerShape& shape) { return shape.block > 0; }

}  // namespace lookupffn::bench
#endif
