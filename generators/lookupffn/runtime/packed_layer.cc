#include "packed_layer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bh4_matrix.h"
#include "float_types.h"
#include "kernel_choice.h"
#include "packed_rows.h"
#include "tensor_limits.h"

namespace lookupffn {
namespace {

// Room behind a part: kernels may read a vector past its last element.
constexpr size_t kBehind = 256;
// Floats of the tables that are read together, and stay in the second-level cache.
constexpr size_t kFloatsAtOnce = size_t(1) << 15;

// A tensor as floats, at the start of a part; the rest of it stays zero.
void pack_floats(const TensorView& tensor, const PackedPart& part) {
  read_floats(tensor, 0, tensor.elements(), static_cast<float*>(part.data()));
}

// Stores a panel's [in, out] element.
class ProjectionWriter {
 public:
  explicit ProjectionWriter(const PackedLayer& packed)
      : block_(packed.shape.block),
        inputs_(packed.shape.panel_inputs()),
        words_(packed.panel_words()),
        parts_(packed.weight_parts()),
        data_(packed.projection.data()) {}

  void set(size_t panel, size_t in, size_t out, double value) {
    if (parts_ == 0) {
      static_cast<float*>(data_)[(panel * words_ + in) * block_ + out] = float(value);
      return;
    }
    // Each part is what the ones before have left of the float, rounded: three are all of it.
    float rest = float(value);
    for (size_t part = 0; part < parts_; ++part) {
      const Bf16Place place = bf16_place(in, inputs_, part, parts_);
      uint16_t bf16 = f32_to_bf16(rest);
      // The largest floats would be rounded to infinity: what is cut off of them is left for the next part.
      if (std::isinf(bf16_to_f32(bf16)) && !std::isinf(rest)) --bf16;
      static_cast<uint16_t*>(data_)[((panel * words_ + place.word) * block_ + out) * 2 + place.half] = bf16;
      rest -= bf16_to_f32(bf16);
    }
  }

 private:
  const size_t block_, inputs_, words_, parts_;
  void* const data_;
};

void pack_bh4(const LayerWeights& weights, const PackedShape& shape, ProjectionWriter& writer) {
  const size_t block = weights.shape.block, p = shape.width;
  std::vector<float> stage_weights(p * block);
  for (size_t repeat = 0; repeat < shape.repeats; ++repeat) {
    for (size_t stage = 0; stage < 4; ++stage) {
      read_floats(weights.projection_weight, (repeat * 4 + stage) * p * block, p * block, stage_weights.data());
      const double factor = stage == 3 ? weights.shape.decay : 1.0;
      for (size_t m = 0; m < shape.panels; ++m) {
        const Matrix matrix = bh4_stage_matrix(&stage_weights[m * shape.block * block], block, shape.block);
        for (size_t o = 0; o < shape.block; ++o) {
          for (size_t i = 0; i < shape.block; ++i) {
            writer.set((repeat * 4 + stage) * shape.panels + m, i, o, factor * matrix[o * shape.block + i]);
          }
        }
      }
    }
  }
}

void pack_dense(const LayerWeights& weights, const PackedShape& shape, ProjectionWriter& writer) {
  std::vector<float> row(shape.d_in);
  for (size_t k = 0; k < shape.tables * shape.bits; ++k) {
    read_floats(weights.projection_weight, k * shape.d_in, shape.d_in, row.data());
    for (size_t i = 0; i < shape.d_in; ++i) writer.set(k / shape.block, i, k % shape.block, row[i]);
  }
}

// A BH4 projection of p < 16 values multiplied out.
void pack_tiny_bh4(const LayerWeights& weights, const PackedShape& shape, ProjectionWriter& writer) {
  const size_t block = weights.shape.block, p = power_of_two_from(shape.d_in), of_repeat = 4 * p * block;
  std::vector<float> repeat_weights(of_repeat);
  for (size_t repeat = 0; repeat < weights.shape.repeats; ++repeat) {
    read_floats(weights.projection_weight, repeat * of_repeat, of_repeat, repeat_weights.data());
    const Matrix matrix = bh4_matrix(repeat_weights.data(), block, p, weights.shape.decay);
    for (size_t o = 0; o < p && repeat * p + o < shape.tables * shape.bits; ++o) {
      const size_t k = repeat * p + o;
      for (size_t i = 0; i < shape.d_in; ++i) writer.set(k / shape.block, i, k % shape.block, matrix[o * p + i]);
    }
  }
}

void pack_projection(const LayerWeights& weights, const PackedLayer& packed) {
  ProjectionWriter writer(packed);
  if (packed.shape.bh4) {
    pack_bh4(weights, packed.shape, writer);
  } else if (weights.shape.projection == LOOKUPFFN_BH4) {
    pack_tiny_bh4(weights, packed.shape, writer);
  } else {
    pack_dense(weights, packed.shape, writer);
  }
}

void pack_tables(const LayerWeights& weights, const PackedLayer& packed) {
  const PackedShape& shape = packed.shape;
  const size_t rows = shape.tables << shape.bits;
  // Short rows are read many at a time: a file's reads are system calls.
  const size_t together = std::max<size_t>(1, std::min(rows, kFloatsAtOnce / shape.d_out));
  std::vector<float> floats(together * shape.d_out);
  for (size_t r = 0; r < rows; ++r) {
    if (r % together == 0) {
      read_floats(weights.tables, r * shape.d_out, std::min(together, rows - r) * shape.d_out, floats.data());
    }
    const float* row = &floats[r % together * shape.d_out];
    void* to = static_cast<char*>(packed.tables.data()) + r * packed.row_bytes();
    const float scale = pack_row(row, shape.d_out, packed.rows, to);
    if (packed.scales.size > 0) static_cast<float*>(packed.scales.data())[r] = scale;
  }
}

// Where the parts are in the layer's memory. The tables come first: they get the alignment of huge pages.
void lay_out(PackedLayer& packed) {
  const PackedShape& shape = packed.shape;
  const size_t rows = shape.tables << shape.bits;
  packed.tables.size = addressable(uint64_t(rows) * packed.row_bytes());
  packed.projection.size = addressable(uint64_t(shape.all_panels()) * packed.panel_words() * shape.block * sizeof(uint32_t));
  packed.scales.size = weight_type(packed.table_type).row_scales ? rows * sizeof(float) : 0;
  packed.gamma.size = packed.beta.size = shape.rules.layer_norm ? shape.input() * sizeof(float) : 0;
  packed.offset.size = std::max(shape.outputs, round_up(shape.tables, kLaneMultiple) * shape.bits) * sizeof(float);
  packed.bias.size = shape.row * sizeof(float);
  PackedPart* const parts[] = {&packed.tables, &packed.projection, &packed.scales, &packed.gamma,
                               &packed.beta,   &packed.offset,     &packed.bias};
  uint64_t total = 0;
  for (const PackedPart* part : parts) total += round_up(part->size + kBehind, 64);
  packed.memory = HugeMemory(addressable(total));
  char* at = static_cast<char*>(packed.memory.data());
  for (PackedPart* part : parts) {
    part->start = at;
    at += round_up(part->size + kBehind, 64);
  }
  // Every tile of tokens reads all weights of the projection. Rows of tables are read here and there, from further away.
  packed.weight_pages = choose_fast_pages(packed.memory, packed.projection.start, packed.projection.size);
}

}  // namespace

LayerExtents layer_extents(const lookupffn_shape& shape, const HashRules& rules) {
  return {
      shape.projection == LOOKUPFFN_BH4, shape.d_in, shape.d_out, shape.tables, shape.bits, shape.block, shape.repeats, rules};
}

PackedLayer pack_layer(const LayerWeights& weights, const std::string& isa, lookupffn_type table_type,
                       lookupffn_type projection_type) {
  PackedLayer packed(PackedShape(layer_extents(weights.shape, weights.rules)), table_type, projection_type);
  packed.eps = weights.shape.layer_norm_eps;
  if (packed.shape.bh4) packed.skip = float(1.0 - double(weights.shape.decay));
  packed.rows = row_format(packed.shape.stored_table_type(weight_type(table_type).name, isa_row(isa)));
  lay_out(packed);
  if (weights.rules.layer_norm) {
    pack_floats(weights.layer_norm_weight, packed.gamma);
    pack_floats(weights.layer_norm_bias, packed.beta);
  }
  if (weights.rules.projection) {
    pack_projection(weights, packed);
    pack_floats(weights.projection_bias, packed.offset);
  }
  pack_tables(weights, packed);
  pack_floats(weights.bias, packed.bias);
  return packed;
}

}  // namespace lookupffn
