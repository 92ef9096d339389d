// An embedding bag with its table for the contenders.
#ifndef LOOKUPFFN_BENCH_EMBEDDING_BAG_COMPARED_H
#define LOOKUPFFN_BENCH_EMBEDDING_BAG_COMPARED_H

#include <string>
#include <vector>

#include "contender.h"
#include "row_reads.h"

namespace lookupffn::bench {

class ComparedBags : public ComparedLayer {
 public:
  ComparedBags(std::string name, LayerShape shape, std::vector<uint8_t> file);
  // [rows, d_out], in huge pages as this library keeps it
  const float* table() const { return reinterpret_cast<const float*>(table_.data()); }

 private:
  HugeBuffer table_;
};

inline const ComparedBags& bags_of(const ComparedLayer& layer) { return static_cast<const ComparedBags&>(layer); }

// One function a file; embedding_bag_compared.cc lists them.
ContenderKind plain_bag_contender();
ContenderKind libtorch_embedding_bag_contender();

}  // namespace lookupffn::bench
#endif
