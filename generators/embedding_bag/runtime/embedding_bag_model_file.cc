#include "embedding_bag_model_file.h"

#include <algorithm>
#include <cstdint>
#include <set>

#include "bag_layout.h"
#include "tensor_reader.h"

namespace lookupffn {
namespace {

constexpr char kWeight[] = "embedding_bag.weight";
constexpr char kPlainWeight[] = "weight";

bool is_plain(const SafetensorsFile& file) {
  const auto family = file.metadata().find("family");
  return family != file.metadata().end() && family->second == "embedding_bag";
}

// Whether the name is `end`, or ends with it behind a dot.
bool names(const std::string& name, const std::string& end) { return name == end || has_suffix(name, "." + end); }

}  // namespace

std::vector<std::string> find_embedding_bags(const SafetensorsFile& file) {
  std::set<std::string> prefixes;
  for (const TensorView& tensor : file.tensors()) {
    for (const std::string& weight : {std::string(kWeight), std::string(kPlainWeight)}) {
      if (!names(tensor.name, weight) || (weight == kPlainWeight && !is_plain(file))) continue;
      prefixes.insert(tensor.name.substr(0, tensor.name.size() - weight.size()));
      break;
    }
  }
  return {prefixes.begin(), prefixes.end()};
}

BagWeights read_embedding_bag(const SafetensorsFile& file, const std::string& prefix) {
  const TensorReader reader(file, prefix);
  BagWeights bag{};
  bag.table = reader.tensor(reader.has(kWeight) || !is_plain(file) ? kWeight : kPlainWeight);
  reader.check_rank(bag.table, 2);
  lookupffn_shape& shape = bag.shape;
  shape.family = "embedding_bag";
  shape.projection = LOOKUPFFN_NO_PROJECTION;
  shape.tables = 1;
  shape.rows = bag.table.shape[0];
  shape.d_out = bag.table.shape[1];
  reader.check_range(bag.table, "d_out", shape.d_out, kMaxBagWidth);
  reader.check_range(bag.table, "rows", shape.rows, size_t(std::min<uint64_t>(kMaxBagElements / shape.d_out, SIZE_MAX)));
  reader.check_finite(bag.table);
  return bag;
}

}  // namespace lookupffn
