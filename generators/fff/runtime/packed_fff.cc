#include "packed_fff.h"

#include <algorithm>
#include <vector>

#include "failure.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

constexpr size_t kBehind = 256;  // readable bytes behind a part
// Floats of a tensor that are read together, and stay in the second-level cache.
constexpr size_t kFloatsAtOnce = size_t(1) << 15;

// Parts of one memory, each aligned to a cache line. A part's place is known once all sizes are.
class Parts {
 public:
  template <class Value>
  void add(Value** to, uint64_t bytes) {
    places_.push_back({reinterpret_cast<void**>(to), end_});
    end_ += (bytes + kBehind + 63) / 64 * 64;
  }
  HugeMemory lay_out() const {
    HugeMemory memory(addressable(end_));
    for (const Place& place : places_) *place.to = static_cast<char*>(memory.data()) + place.at;
    return memory;
  }

 private:
  struct Place {
    void** to;
    uint64_t at;
  };
  std::vector<Place> places_;
  uint64_t end_ = 0;
};

// The rows of a matrix, `padded` floats apart.
void pack_rows(const TensorView& tensor, size_t rows, size_t width, float* to, size_t padded) {
  const size_t together = std::max<size_t>(1, std::min(rows, kFloatsAtOnce / width));
  std::vector<float> floats(together * width);
  for (size_t r = 0; r < rows; r += together) {
    const size_t count = std::min(together, rows - r);
    read_floats(tensor, r * width, count * width, floats.data());
    for (size_t k = 0; k < count; ++k) std::copy_n(&floats[k * width], width, to + (r + k) * padded);
  }
}

// The same of a matrix that holds them as columns [width, rows]: several columns at a time, so that a line of
// `to` is written once.
void pack_columns(const TensorView& tensor, size_t rows, size_t width, float* to, size_t padded) {
  constexpr size_t kTogether = 16;
  std::vector<float> floats(std::min(width, kTogether) * rows);
  for (size_t d = 0; d < width; d += kTogether) {
    const size_t count = std::min(kTogether, width - d);
    read_floats(tensor, d * rows, count * rows, floats.data());
    for (size_t r = 0; r < rows; ++r) {
      for (size_t k = 0; k < count; ++k) to[r * padded + d + k] = floats[k * rows + r];
    }
  }
}

}  // namespace

PackedFff pack_fff(const FffWeights& weights, lookupffn_type table_type) {
  if (table_type != LOOKUPFFN_F32) {
    throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string("lookupffn_layer_pack: table_type is ") +
                                                  weight_type(table_type).name + "; a layer of family fff has f32 tables");
  }
  const FffShape shape = fff_shape(weights.shape);
  PackedFff packed{
      shape, weights.zero_right, weights.gelu, {}, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, 0, 0};
  const uint64_t nodes = uint64_t(shape.trees) * shape.nodes(), leaves = shape.leaves();  // addresses may have fewer bits
  const auto floats = [](uint64_t count) { return count * sizeof(float); };
  Parts parts;
  // What is read by codes comes first: it gets the alignment of huge pages.
  packed.node_bytes = floats(nodes * (shape.in() + 1));
  parts.add(&packed.node_weight, floats(nodes * shape.in()));
  if (shape.has_leaves()) {
    packed.table_bytes = floats(leaves * (shape.hidden_row() * (shape.d_in + 1) + shape.out() * (shape.hidden + 1)));
    parts.add(&packed.w1, floats(leaves * shape.d_in * shape.hidden_row()));
    parts.add(&packed.w2, floats(leaves * shape.hidden * shape.out()));
    parts.add(&packed.b1, floats(leaves * shape.hidden_row()));
    parts.add(&packed.b2, floats(leaves * shape.out()));
  } else {
    packed.table_bytes = floats(nodes * shape.out());
    parts.add(&packed.rows, floats(nodes * shape.out()));
  }
  parts.add(&packed.node_bias, floats(nodes));
  packed.memory = parts.lay_out();

  pack_rows(weights.node_weight, nodes, shape.d_in, packed.node_weight, shape.in());
  if (weights.has_node_bias) read_floats(weights.node_bias, 0, nodes, packed.node_bias);
  if (shape.has_leaves()) {
    pack_rows(weights.w1, leaves * shape.d_in, shape.hidden, packed.w1, shape.hidden_row());
    pack_rows(weights.b1, leaves, shape.hidden, packed.b1, shape.hidden_row());
    pack_rows(weights.w2, leaves * shape.hidden, shape.d_out, packed.w2, shape.out());
    pack_rows(weights.b2, leaves, shape.d_out, packed.b2, shape.out());
  } else if (weights.rows_are_columns) {
    pack_columns(weights.rows, nodes, shape.d_out, packed.rows, shape.out());
  } else {
    pack_rows(weights.rows, nodes, shape.d_out, packed.rows, shape.out());
  }
  return packed;
}

}  // namespace lookupffn
