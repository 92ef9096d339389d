#include "compared_layer.h"

#include <limits>
#include <map>
#include <stdexcept>
#include <utility>

#include "random_numbers.h"
#include "shape_fields.h"

namespace lookupffn::bench {

ComparedLayer::ComparedLayer(std::string name_, LayerShape shape_, std::vector<uint8_t> file)
    : name(std::move(name_)), shape(std::move(shape_)), file_(std::move(file)), model_(file_.data(), file_.size()) {}

reference::Stage ComparedLayer::stage(Part part) const {
  if (part == Part::kHash) return reference::Stage::kHash;
  if (part == Part::kGather) return reference::Stage::kGather;
  return takes_ids() ? reference::Stage::kForwardIds : reference::Stage::kForward;
}

void ComparedLayer::finish() {
  const size_t picked = takes_ids() ? ring.ids.size() : ring.code.size();
  if (ring.tokens == 0 || picked == 0 || picked % ring.tokens != 0) throw std::logic_error(name + ": inputs of unlike sizes");
  if (all_rows() > std::numeric_limits<uint32_t>::max()) throw std::runtime_error(name + ": more rows than can be compared");
  lookups_ = picked / ring.tokens;
  picked_rows_.resize(picked);
  for (size_t i = 0; i < picked; ++i) {
    // Lookups that share a table are neighbours.
    const size_t table = i % lookups_ * size_t(shape.tables) / lookups_;
    const size_t row = size_t(takes_ids() ? ring.ids[i] : ring.code[i]);
    picked_rows_[i] = uint32_t(table * size_t(shape.rows) + row);
  }
}

lookupffn_shape c_shape(const LayerShape& shape) {
  std::map<std::string, std::string> pairs = shape_pairs(shape);
  return take_shape(&pairs);
}

reference::Input hashed_ring(const ComparedLayer& layer, size_t tokens) {
  RandomNumbers random(2);
  reference::Input ring;
  ring.tokens = tokens;
  ring.x.resize(tokens * size_t(layer.shape.d_in));
  for (float& value : ring.x) value = random.spread(1);
  lookupffn_layer* packed = nullptr;
  check(lookupffn_layer_pack(layer.model(), "", nullptr, &packed));
  const std::unique_ptr<lookupffn_layer, void (*)(lookupffn_layer*)> owner(packed, lookupffn_layer_free);
  lookupffn_layer_info info;
  check(lookupffn_layer_describe(packed, &info));
  ring.code.resize(tokens * info.shape.lookups);
  ring.score.resize(ring.code.size());
  check(
      lookupffn_hash(packed, nullptr, ring.x.data(), ptrdiff_t(info.shape.d_in), ring.code.data(), ring.score.data(), tokens));
  return ring;
}

}  // namespace lookupffn::bench
