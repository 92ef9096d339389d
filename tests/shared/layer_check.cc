#include "layer_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "bf16_projection.h"
#include "compiler_family.h"
#include "lookupffn_tolerance.h"
#include "reference/random_numbers.h"
#include "row_format.h"
#include "strided_rows.h"

namespace lookupffn::checks {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kUntouched = -7654.25f;

template <class Value>
std::vector<Value> picked(const std::vector<Value>& rows, size_t width, const std::vector<size_t>& which) {
  std::vector<Value> result;
  result.reserve(which.size() * width);
  for (const size_t n : which) {
    result.insert(result.end(), rows.begin() + ptrdiff_t(n * width), rows.begin() + ptrdiff_t((n + 1) * width));
  }
  return result;
}

// How the rows of one call lie in memory.
struct Layout {
  const char* name;
  ptrdiff_t x_stride, y_stride;
};

Layout layout(size_t kind, size_t count, size_t d_in, size_t d_out) {
  const ptrdiff_t in = ptrdiff_t(d_in), out = ptrdiff_t(d_out);
  switch (kind % 5) {
    case 0:
      return {"contiguous", in, out};
    case 1:
      return {"wider", in + 3, out + 5};
    case 2:
      return {"negative", -(in + 1), -out};
    case 3:
      return {"one row of x for all", 0, out + 64};
    default:
      // Beyond what kernels can count in 32 bits, as far as the address space allows for so many rows.
      return count <= 4 ? Layout{"huge", (ptrdiff_t(1) << 31) + 7, -(ptrdiff_t(1) << 31) - 1}
                        : Layout{"large", -(ptrdiff_t(1) << 22) - 1, (ptrdiff_t(1) << 18) + 3};
  }
}

// The bits of a token's results when it was first seen, to compare with later ones.
template <class Value>
class FirstSeen {
 public:
  FirstSeen(size_t tokens, size_t width) : width_(width), values_(tokens * width), seen_(tokens) {}

  // How many rows differ from what their token gave before.
  size_t changed(const std::vector<size_t>& tokens, const std::vector<Value>& rows) {
    size_t count = 0;
    for (size_t k = 0; k < tokens.size(); ++k) {
      Value* kept = &values_[tokens[k] * width_];
      const Value* row = &rows[k * width_];
      if (!seen_[tokens[k]]) {
        std::copy(row, row + width_, kept);
        seen_[tokens[k]] = true;
      } else {
        count += std::memcmp(kept, row, width_ * sizeof(Value)) != 0;
      }
    }
    return count;
  }

 private:
  size_t width_;
  std::vector<Value> values_;
  std::vector<bool> seen_;
};

}  // namespace

std::string describe(const lookupffn_shape& shape) {
  std::string text = std::string(shape.projection == LOOKUPFFN_BH4 ? "bh4" : "dense") + " d_in=" + std::to_string(shape.d_in) +
                     " d_out=" + std::to_string(shape.d_out) + " tables=" + std::to_string(shape.tables) +
                     " bits=" + std::to_string(shape.bits);
  if (shape.projection == LOOKUPFFN_BH4) {
    text += " block=" + std::to_string(shape.block) + " repeats=" + std::to_string(shape.repeats) +
            " decay=" + std::to_string(shape.decay);
  }
  return text;
}

std::string describe(const Variant& variant) {
  return variant.isa + (variant.kernels == LOOKUPFFN_SPECIALISED_KERNELS ? " specialised, " : " generic, ") +
         lookupffn_type_name(variant.table_type) + " tables, " + lookupffn_type_name(variant.projection_type) + " projection";
}

lookupffn_shape shape_from(const std::string& text) {
  const LayerShape shape = parse_layer_shape(text);
  const size_t d_in = size_t(shape.d_in), d_out = size_t(shape.d_out), tables = size_t(shape.tables);
  return shape.projection == "bh4" ? reference::bh4_shape(d_in, d_out, tables, size_t(shape.bits), size_t(shape.block))
                                   : reference::dense_shape(d_in, d_out, tables, size_t(shape.bits));
}

std::vector<std::string> runnable_isas() {
  std::vector<std::string> names;
  for (const IsaInfo& isa : isas()) {
    if (isa.built_in && isa.runnable) names.push_back(isa.name);
  }
  if (names.empty()) throw std::runtime_error("this machine runs none of the ISAs that are built in");
  return names;
}

std::vector<lookupffn_type> table_types() {
  std::vector<lookupffn_type> types;
  for (const WeightType& row : kWeightTypes) {
    if (row.for_tables) types.push_back(row.type);
  }
  return types;
}

reference::Layer with_exact_tables(reference::Layer layer, lookupffn_type type) {
  const int largest = weight_type(type).row_scales ? largest_number(weight_type(type)) : 127;
  const size_t d_out = layer.shape.d_out;
  for (size_t k = 0; k < layer.table.size(); ++k) {
    // Drawn by place: every row and column differs from its neighbours.
    const int number = int((k * 2654435761u >> 7) % size_t(2 * largest + 1)) - largest;
    layer.table[k] = float(k % d_out == k / d_out % d_out ? largest : number) / 8;
  }
  return layer;
}

LayerCase::LayerCase(reference::Layer layer, uint64_t seed, size_t tokens)
    : LayerCase(layer, seed, reference::random_tokens(tokens, layer.shape.d_in, seed + 1)) {}

LayerCase::LayerCase(reference::Layer layer, uint64_t seed, std::vector<float> x)
    : layer_(std::move(layer)),
      seed_(seed),
      bytes_(reference::model_bytes(layer_, "", ElementType::kF32)),
      model_(std::make_unique<Model>(bytes_.data(), bytes_.size())),
      x_(std::move(x)),
      expected_(reference::forward(layer_, x_)) {}

Layer LayerCase::pack(const Variant& variant) const {
  PackOptions options{};
  options.isa = variant.isa.c_str();
  options.kernels = variant.kernels;
  options.table_type = variant.table_type;
  options.projection_type = variant.projection_type;
  return Layer(*model_, "", options);
}

const reference::Result& LayerCase::expected(lookupffn_type projection_type) const {
  if (projection_type != LOOKUPFFN_BF16) return expected_;
  if (!expected_bf16_) {
    expected_bf16_ = std::make_unique<reference::Result>(reference::forward(layer_, x_, LOOKUPFFN_BF16));
  }
  return *expected_bf16_;
}

void LayerCase::check(const Variant& variant, const std::vector<size_t>& counts, bool exact_tables) const {
  ASSERT_TRUE(std::any_of(counts.begin(), counts.end(), [](size_t count) { return count > 0; })) << "nothing to judge";
  SCOPED_TRACE(describe(layer_.shape) + ", seed " + std::to_string(seed_) + ", " + describe(variant));
  const lookupffn_shape& shape = layer_.shape;
  const size_t d_in = shape.d_in, d_out = shape.d_out, tables = shape.tables;
  const size_t all = x_.size() / d_in;
  const reference::Result& result = expected(variant.projection_type);
  const Layer packed = pack(variant);
  FirstSeen<int32_t> codes_seen(all, tables);
  FirstSeen<float> scores_seen(all, tables), y_seen(all, d_out), residual_seen(all, d_out);
  for (size_t c = 0; c < counts.size(); ++c) {
    const size_t count = counts[c];
    ASSERT_LE(count, all);
    const Layout at = layout(c + seed_, count, d_in, d_out);
    SCOPED_TRACE(std::to_string(count) + " tokens, " + at.name);
    // Rows of x from a place that changes with the count.
    std::vector<size_t> which(count);
    std::iota(which.begin(), which.end(), (seed_ + 7 * c) % (all - count + 1));
    if (at.x_stride == 0 && count > 0) std::fill(which.begin(), which.end(), which[0]);

    StridedRows x(count, d_in, at.x_stride, kNaN), y(count, d_out, at.y_stride, kUntouched);
    for (size_t k = 0; k < count; ++k) x.set_row(k, &x_[which[k] * d_in]);

    // Codes and scores.
    std::vector<int32_t> code(count * tables + 1, -1);
    std::vector<float> score(count * tables + 1, kUntouched);
    packed.hash(nullptr, x.row(0), at.x_stride, code.data(), score.data(), count);
    EXPECT_EQ(code.back(), -1) << "hash wrote past its codes";
    EXPECT_EQ(score.back(), kUntouched) << "hash wrote past its scores";
    code.pop_back();
    score.pop_back();
    const std::vector<double> exact_score = picked(result.score, tables, which);
    // Wrong codes may be out of range, where no row of a table is.
    if (count > 0) {
      ASSERT_EQ(reference::wrong_codes(layer_, picked(result.z, tables * shape.bits, which), code, variant.projection_type),
                0u);
      EXPECT_LE(reference::worst_score(layer_, exact_score, score), 1) << "times the tolerance";
    }
    EXPECT_EQ(codes_seen.changed(which, code), 0u) << "codes depend on the batch";
    EXPECT_EQ(scores_seen.changed(which, score), 0u) << "scores depend on the batch";

    // y, of the kernel's own codes where |z| is too small to tell.
    const bool residual = d_in == d_out && (c + seed_) % 3 == 0;
    packed.forward(x.row(0), at.x_stride, y.row(0), at.y_stride, count, residual ? LOOKUPFFN_ADD_RESIDUAL : 0);
    EXPECT_EQ(y.touched_around(), 0u) << "forward wrote beside its rows";
    std::vector<double> exact = code == picked(result.code, tables, which) ? picked(result.y, d_out, which)
                                                                           : reference::gather(layer_, code, exact_score);
    if (residual) {
      for (size_t k = 0; k < count * d_out; ++k) exact[k] += x_[which[k / d_out] * d_in + k % d_out];
    }
    const std::vector<float> got = y.values();
    if (count > 0) {
      EXPECT_LE(reference::worst_y(layer_, code, exact_score, exact, got, exact_tables ? LOOKUPFFN_F32 : variant.table_type), 1)
          << "times the tolerance" << (residual ? ", with the residual" : "");
    }
    EXPECT_EQ((residual ? residual_seen : y_seen).changed(which, got), 0u) << "y depends on the batch";

    // gather alone
    StridedRows gathered(count, d_out, at.y_stride, kUntouched);
    packed.gather(nullptr, code.data(), score.data(), gathered.row(0), at.y_stride, count);
    EXPECT_EQ(gathered.touched_around(), 0u) << "gather wrote beside its rows";
    EXPECT_EQ(y_seen.changed(which, gathered.values()), 0u) << "gather's y is not forward's";
    if (testing::Test::HasFailure()) return;  // the first wrong count tells; the rest would repeat it
  }
}

bool memory_for_huge_tables() {
  return size_t(::sysconf(_SC_AVPHYS_PAGES)) * size_t(::sysconf(_SC_PAGESIZE)) >= size_t(6) << 30;
}

void check_huge_tables(lookupffn_kernels kernels, const std::vector<std::string>& isas) {
  const lookupffn_shape shape = reference::dense_shape(1, 1024, 9, 16);
  const size_t row = shape.d_out, tables = shape.tables, rows = shape.rows;
  // A model file of zeros, which take no memory until they are written; only some rows are.
  std::string header;
  size_t end = 0;
  const auto add = [&](const std::string& name, const std::string& extents, size_t floats) {
    header += (header.empty() ? "{\"" : ",\"") + name + "\":{\"dtype\":\"F32\",\"shape\":[" + extents + "],\"data_offsets\":[" +
              std::to_string(end) + "," + std::to_string(end + 4 * floats) + "]}";
    end += 4 * floats;
    return end - 4 * floats;
  };
  add("LayerNorm.weight", "1", 1);
  add("LayerNorm.bias", "1", 1);
  add("hash.projection.weight", std::to_string(tables * shape.bits) + ",1", tables * shape.bits);
  add("hash.projection.bias", std::to_string(tables * shape.bits), tables * shape.bits);
  add("bias", std::to_string(row), row);
  const size_t tables_at =
      add("tables", std::to_string(tables) + "," + std::to_string(rows) + "," + std::to_string(row), tables * rows * row);
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  StridedRows file(1, (8 + header.size() + end) / 4, 0, 0.0f);
  char* const bytes = reinterpret_cast<char*>(file.row(0));
  const uint64_t header_size = header.size();
  std::memcpy(bytes, &header_size, 8);
  std::memcpy(bytes + 8, header.data(), header.size());
  float* const table = reinterpret_cast<float*>(bytes + 8 + header.size() + tables_at);
  constexpr size_t kTokens = 3;
  std::vector<int32_t> code;
  std::vector<float> score;
  std::vector<double> expected(kTokens * row);
  for (size_t n = 0; n < kTokens; ++n) {
    for (size_t t = 0; t < tables; ++t) {
      code.push_back(n == 0 ? int32_t(rows - 1) : int32_t((n * 7919 + t * 30011) % rows));
      score.push_back(0.25f + float(n) + 0.5f * float(t));
      float* values = table + (t * rows + size_t(code.back())) * row;
      for (size_t d = 0; d < row; ++d) {
        values[d] = float(t + 1) + float(d) / 1024 + float(code.back() % 97);
        expected[n * row + d] += double(score.back()) * values[d];
      }
    }
  }
  const Model model(bytes, 8 + header.size() + end);
  for (const std::string& isa : isas) {
    SCOPED_TRACE(isa);
    PackOptions options{};
    options.isa = isa.c_str();
    options.kernels = kernels;
    const Layer layer(model, "", options);
    for (size_t tokens : {kTokens, size_t(1)}) {
      std::vector<float> y(tokens * row);
      layer.gather(nullptr, code.data(), score.data(), y.data(), ptrdiff_t(row), tokens);
      for (size_t k = 0; k < tokens * row; ++k) ASSERT_NEAR(y[k], expected[k], 1e-5 * expected[k]) << k;
    }
  }
}

}  // namespace lookupffn::checks
