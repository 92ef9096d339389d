// Embedding bags in the comparison: against libtorch's embedding_bag and a plain loop.
#include "embedding_bag_compared.h"

#include <algorithm>

#include "bag_work.h"
#include "compared_family.h"
#include "embedding_bag_layer.h"
#include "random_numbers.h"
#include "tensor_view.h"

namespace lookupffn::bench {
namespace {

// Bags that go round: their rows are more than a cache holds, or each row of a small table many times.
constexpr size_t kMostBags = 65536, kVisitsOfARow = 16;

std::unique_ptr<ComparedLayer> make_layer(const std::string& name, const LayerShape& shape, const InputOptions& options) {
  expect_random_codes(shape.family, options.codes);
  auto layer =
      std::make_unique<ComparedBags>(name, shape, reference::reference_family(shape.family).random_model(c_shape(shape), 1));
  reference::Input& ring = layer->ring;
  ring.tokens =
      std::max(std::clamp<size_t>(kVisitsOfARow * size_t(shape.rows) / kIdsOfBag, 4096, kMostBags), 2 * options.largest_call);
  RandomNumbers random(2);
  for (size_t b = 0; b < ring.tokens; ++b) {
    ring.offsets.push_back(int64_t(ring.ids.size()));
    for (size_t k = 0; k < kIdsOfBag; ++k) ring.ids.push_back(int64_t(random.bits() % uint64_t(shape.rows)));
  }
  const std::string ids = std::to_string(kIdsOfBag) + " ids";
  layer->unit = "bag of " + ids;
  layer->facts = "sums of bags of " + ids + ", every row as likely as another";
  layer->parts = {Part::kAll};
  return layer;
}

std::vector<ContenderKind> contenders() {
  return {
#ifdef LOOKUPFFN_BENCH_OPENMP
      plain_bag_contender(),
#else
      plain_contender(nullptr),
#endif
#ifdef LOOKUPFFN_BENCH_LIBTORCH
      libtorch_embedding_bag_contender(),
#else
      left_out("embedding_bag", "whole layer, libtorch's embedding_bag", "libtorch-dev"),
#endif
  };
}

}  // namespace

ComparedBags::ComparedBags(std::string name, LayerShape shape, std::vector<uint8_t> file)
    : ComparedLayer(std::move(name), std::move(shape), std::move(file)), table_(bag_weights_of(source()).table.bytes) {
  const TensorView& table = bag_weights_of(source()).table;
  read_floats(table, 0, table.elements(), reinterpret_cast<float*>(const_cast<char*>(table_.data())));
}

extern const ComparedFamily embedding_bag_compared_family;
const ComparedFamily embedding_bag_compared_family = {"embedding_bag", make_layer, contenders};

}  // namespace lookupffn::bench
