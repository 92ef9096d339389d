#include "compared_tables.h"

#include <cstring>

#include "lookupffn_layer.h"

namespace lookupffn::bench {
namespace {

std::vector<ContenderKind> layer_contenders() {
  return {
#ifdef LOOKUPFFN_BENCH_OPENMP
      plain_loop_contender(),
#else
      plain_contender(nullptr),
#endif
#ifdef LOOKUPFFN_BENCH_LIBTORCH
      libtorch_layer_contender(), libtorch_dense_layer_contender(), libtorch_bags_contender(),
#else
      left_out("libtorch_layer", "whole layer, eager libtorch f32", "libtorch-dev"),
      left_out("libtorch_dense_layer", "whole layer, eager libtorch f32, BH4 as one matrix", "libtorch-dev"),
      left_out("embedding_bag", "gather, libtorch f32", "libtorch-dev"),
#endif
#ifdef LOOKUPFFN_BENCH_LIBXSMM
      libxsmm_contender(),
#else
      left_out("libxsmm", "BH4 hash, libxsmm f32", "libxsmm-dev"),
#endif
  };
}

}  // namespace

ComparedTables::ComparedTables(std::string name, LayerShape shape, std::vector<uint8_t> file)
    : ComparedLayer(std::move(name), std::move(shape), std::move(file)),
      weights_(reference::layer_from(weights_of(source()))),
      table_(weights_.table.size() * sizeof(float)) {
  std::memcpy(const_cast<char*>(table_.data()), weights_.table.data(), weights_.table.size() * sizeof(float));
  weights_.table = {};
  parts = {Part::kAll, Part::kHash, Part::kGather};
}

std::vector<ContenderKind> table_contenders() {
  std::vector<ContenderKind> kinds = dense_contenders();
  for (ContenderKind& kind : layer_contenders()) kinds.push_back(std::move(kind));
  return kinds;
}

}  // namespace lookupffn::bench
