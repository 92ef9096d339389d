#include "lookupffn_training.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "failure.h"
#include "gather.h"
#include "parallel_tasks.h"
#include "row_gradients.h"
#include "tensor_limits.h"
#include "training_projection.h"

namespace lookupffn {
namespace {

// Tokens whose values stay in the second-level cache between the kernels of a tile; a multiple of any kernel's tokens.
constexpr size_t kTile = 64;
// Sums over tokens are sums of those over so many: what threads share out, whatever their number.
constexpr size_t kChunk = 256;
// Rows of memory are cut up in pieces of so many floats to add them.
constexpr size_t kPiece = 4096;

// The shape with what follows from the rest of it. Throws Failure.
lookupffn_shape checked(lookupffn_shape shape) {
  const auto invalid = [](const std::string& what) {
    throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_training_create: " + what);
  };
  const auto check = [&](const char* name, size_t value, size_t most) {
    if (value < 1 || value > most) {
      invalid(std::string(name) + " is " + std::to_string(value) + "; it is from 1 to " + std::to_string(most));
    }
  };
  check("d_in", shape.d_in, kMaxWidth);
  check("d_out", shape.d_out, kMaxWidth);
  check("tables", shape.tables, kMaxTables);
  check("bits", shape.bits, kMaxBits);
  if (!(shape.layer_norm_eps >= std::numeric_limits<float>::min())) invalid("layer_norm_eps is not a positive number");
  const size_t p = power_of_two_from(shape.d_in);
  if (shape.projection == LOOKUPFFN_BH4) {
    if (!is_power_of_two(shape.block) || shape.block > p) {
      invalid("block is " + std::to_string(shape.block) + "; it is a power of two up to " + std::to_string(p));
    }
    if (!(shape.decay >= 0 && shape.decay <= 1)) invalid("decay is not from 0 to 1");
    shape.repeats = std::max<size_t>(1, (shape.tables * shape.bits + p - 1) / p);
  } else if (shape.projection == LOOKUPFFN_DENSE) {
    shape.block = shape.repeats = 0;
    shape.decay = 1;
  } else {
    invalid("projection is neither dense nor BH4");
  }
  shape.rows = size_t(1) << shape.bits;
  shape.lookups = shape.tables;
  shape.prefix = "";
  shape.family = "lookupffn";
  return shape;
}

// Parts of a block of floats, each aligned to a cache line where the block is.
class Parts {
 public:
  size_t take(size_t floats) {
    const size_t at = size_;
    size_ += round_up(floats, kLaneMultiple);
    return at;
  }
  size_t size() const { return size_; }

 private:
  size_t size_ = 0;
};

class LookupffnTraining : public lookupffn_training {
 public:
  LookupffnTraining(const lookupffn_shape& given, const char* on)
      : lookupffn_training(checked(given), on),
        packed_(layer_extents(shape, HashRules{})),
        kernels_(packed_, isa),
        projection_(shape, packed_),
        codes_(round_up(packed_.tables, kLaneMultiple)),
        z_(projection_.z_stride()),
        skip_(packed_.bh4 ? float(1.0 - double(shape.decay)) : 0.0f) {}

  size_t saved_floats(size_t tokens) const override { return Saved(*this, tokens, nullptr).floats; }

  void hash(lookupffn_threads& threads, const lookupffn_weights& weights, const InputRows& x, size_t tokens,
            float* memory) const override {
    const Saved saved(*this, tokens, memory);
    const size_t input = packed_.input();
    Parts parts;
    const size_t columns = parts.take(projection_.packed_floats()), gamma = parts.take(input), beta = parts.take(input);
    const size_t shared = parts.size();
    const size_t copy = 0, work = copy + kTile * input;  // of a task
    const size_t of_task = round_up(std::max(work + projection_.forward_floats(kTile), projection_.packing_floats()), 16);
    const size_t tasks = std::min(threads.count, (tokens + kTile - 1) / kTile);
    const size_t packers = std::min(threads.count, projection_.parts());
    ScratchPool::Lease lease(scratch);
    float* const at = reinterpret_cast<float*>((*lease).reserve((shared + std::max(tasks, packers) * of_task) * sizeof(float)));
    run_tasks(threads, packers, [&](size_t i) {
      const Share share(projection_.parts(), packers, i, 1);
      for (size_t part = share.first; part < share.first + share.count; ++part) {
        projection_.pack(kernels_, weights.projection_weight, part, saved.rows, at + columns, at + shared + i * of_task);
      }
    });
    padded(weights.norm_weight, packed_.d_in, at + gamma, input);
    padded(weights.norm_bias, packed_.d_in, at + beta, input);
    padded(weights.projection_bias, packed_.tables * packed_.bits, saved.offset, z_);
    run_tasks(threads, tasks, [&](size_t i) {
      float* const own = at + shared + i * of_task;
      const Share share(tokens, tasks, i, kTile);
      for (size_t n = share.first; n < share.first + share.count; n += kTile) {
        const size_t count = std::min(kTile, tokens - n), whole = round_up(count, kernels_.hash().product_tokens);
        const InputRows from = input_rows(x, n, count, own + copy);
        const FloatRows h = {saved.h.row(n), saved.h.stride}, v = {saved.z.row(n), saved.z.stride};
        kernels_.hash().layer_norm(from, at + gamma, at + beta, input, packed_.d_in, shape.layer_norm_eps, count, h,
                                   packed_.width);
        projection_.forward(kernels_, at + columns, h, whole, v, saved.kept + n * projection_.stride(), saved.kept_step,
                            own + work);
        kernels_.hash().code_and_score(v, h, packed_.width, saved.offset, packed_.bits, skip_, count,
                                       saved.codes.code + n * codes_, saved.codes.score + n * codes_, codes_);
        // v is z from here on. A dense projection skips nothing, so any row is as good as h.
        kernels_.add_skip_and_bias(packed_.bh4 ? h : v, packed_.bh4 ? packed_.width : packed_.outputs,
                                   packed_.bh4 ? packed_.repeats : 1, saved.offset, skip_, count, v);
      }
    });
  }

  size_t picked_rows(size_t tokens, const float* memory, int64_t* rows) const override {
    const Saved saved(*this, tokens, const_cast<float*>(memory));
    ScratchPool::Lease lease(scratch);
    const size_t of_table = shape.rows;
    char* const seen = (*lease).reserve(packed_.tables * of_table);
    std::memset(seen, 0, packed_.tables * of_table);
    for (size_t n = 0; n < tokens; ++n) {
      const uint16_t* const code = saved.codes.code + n * codes_;
      for (size_t t = 0; t < packed_.tables; ++t) seen[t * of_table + code[t]] = 1;
    }
    size_t count = 0;
    for (size_t row = 0; row < packed_.tables * of_table; ++row) {
      if (!seen[row]) continue;
      if (rows) rows[count] = int64_t(row);
      ++count;
    }
    return count;
  }

  void gather(lookupffn_threads& threads, const lookupffn_weights& weights, size_t tokens, const float* memory,
              const OutputRows& y) const override {
    const Saved saved(*this, tokens, const_cast<float*>(memory));
    const size_t d_out = packed_.d_out, row = packed_.row, rows = packed_.tables * shape.rows;
    // Kernels read whole vectors: rows of another width are copied.
    const bool copies = row != d_out;
    PackedLayer layer(packed_, LOOKUPFFN_F32, LOOKUPFFN_F32);
    const size_t tasks = std::min(threads.count, tokens);
    const Gathered of = {layer, kernels_.gather()};
    const size_t of_task = round_up(gather_scratch_bytes(of, y, tokens), 64);
    const size_t table_bytes = round_up(copies ? rows * row * sizeof(float) : 0, 64),
                 bias_bytes = round_up(row * sizeof(float), 64);
    ScratchPool::Lease lease(scratch);
    char* const at = (*lease).reserve(table_bytes + bias_bytes + tasks * of_task);
    layer.tables.start = copies ? at : reinterpret_cast<char*>(const_cast<float*>(weights.tables));
    for (size_t r = 0; copies && r < rows; ++r) {
      padded(weights.tables + r * d_out, d_out, reinterpret_cast<float*>(at) + r * row, row);
    }
    layer.bias.start = at + table_bytes;
    padded(weights.bias, d_out, static_cast<float*>(layer.bias.start), row);
    run_tasks(threads, tasks, [&](size_t i) {
      const Share share(tokens, tasks, i, 1);
      for (size_t n = share.first; n < share.first + share.count; n += kGatherTokens) {
        gather_tokens(of, tokens, saved.codes, n, std::min(kGatherTokens, share.first + share.count - n), 0, row, y,
                      at + table_bytes + bias_bytes + i * of_task);
      }
    });
  }

  void backward(lookupffn_threads& threads, const lookupffn_weights& weights, const InputRows& x, const InputRows& d_y,
                size_t tokens, const float* memory, const lookupffn_gradients& to) const override {
    const Saved saved(*this, tokens, const_cast<float*>(memory));
    const size_t d_in = packed_.d_in, d_out = packed_.d_out, outputs = packed_.tables * packed_.bits, input = packed_.input();
    const size_t chunks = (tokens + kChunk - 1) / kChunk, tasks = std::min(threads.count, std::max<size_t>(1, chunks));
    const size_t packers = std::min(threads.count, projection_.parts());
    const Sums sums(*this);
    const Tile tile(*this);
    Parts parts;
    const size_t d_score = parts.take(tokens * codes_), gamma = parts.take(input), total = parts.take(sums.floats);
    const size_t chunk_sums = parts.take(tasks * sums.floats);
    const size_t of_task = round_up(std::max(tile.floats, projection_.packing_floats()), 16);
    const size_t works = parts.take(std::max(tasks, packers) * of_task);
    const size_t order_at = parts.take(PairOrder::bytes(packed_.tables, shape.rows, tokens) / sizeof(float) + 1);
    ScratchPool::Lease lease(scratch);
    float* const at = reinterpret_cast<float*>((*lease).reserve(parts.size() * sizeof(float)));

    // ---- rows and scores ----
    PairOrder order(packed_.tables, shape.rows, tokens, reinterpret_cast<char*>(at + order_at));
    const size_t sorters = std::min(threads.count, packed_.tables);
    run_tasks(threads, sorters, [&](size_t i) {
      const Share share(packed_.tables, sorters, i, 1);
      for (size_t t = share.first; t < share.first + share.count; ++t) order.sort(t, saved.codes);
    });
    order.add_up_picked();
    std::fill(at + d_score, at + d_score + tokens * codes_, 0.0f);
    row_gradients(kernels_, threads, order, saved.codes, weights.tables, d_out, d_y, {to.tables, to.rows, to.adam, isa},
                  {at + d_score, codes_});

    // ---- the hash ----
    padded(weights.norm_weight, d_in, at + gamma, input);
    std::fill(at + total, at + total + sums.floats, 0.0f);
    for (size_t first = 0; first < chunks; first += tasks) {
      const size_t now = std::min(tasks, chunks - first);
      run_tasks(threads, now, [&](size_t i) {
        float* const own = at + chunk_sums + i * sums.floats;
        std::fill(own, own + sums.floats, 0.0f);
        const size_t begin = (first + i) * kChunk, end = std::min(tokens, begin + kChunk);
        for (size_t n = begin; n < end; n += kTile) {
          backward_tile(saved, x, d_y, n, std::min(kTile, end - n), {at + d_score, codes_}, at + gamma, to.x, sums, own, tile,
                        at + works + i * of_task);
        }
      });
      // Chunks are added in their order.
      const size_t pieces = (sums.floats + kPiece - 1) / kPiece, adders = std::min(threads.count, pieces);
      run_tasks(threads, adders, [&](size_t i) {
        const Share share(pieces, adders, i, 1);
        const size_t from = share.first * kPiece, until = std::min(sums.floats, (share.first + share.count) * kPiece);
        if (from < until) kernels_.column_sums(at + chunk_sums + from, sums.floats, until - from, now, at + total + from);
      });
    }
    run_tasks(threads, packers, [&](size_t i) {
      const Share share(projection_.parts(), packers, i, 1);
      for (size_t part = share.first; part < share.first + share.count; ++part) {
        projection_.unpack_gradient(kernels_, weights.projection_weight, at + total + sums.rows, part, to.projection_weight,
                                    at + works + i * of_task);
      }
    });
    const auto give = [&](float* result, size_t from, size_t floats) {
      std::memcpy(result, at + total + from, floats * sizeof(float));
    };
    give(to.norm_weight, sums.gamma, d_in);
    give(to.norm_bias, sums.beta, d_in);
    give(to.projection_bias, sums.offset, outputs);
    give(to.bias, sums.bias, d_out);
  }

 private:
  // What a step keeps.
  struct Saved {
    size_t floats;
    float* rows;    // the packed projection
    float* offset;  // the projection's bias, padded to z
    FloatRows h, z;
    float* kept;  // the inputs of products: TrainingProjection::kept() times kept_step
    size_t kept_step;
    CodeRows codes;

    Saved(const LookupffnTraining& of, size_t tokens, float* memory) {
      float* const at = memory;
      const size_t all = round_up(tokens, kLaneMultiple), stride = of.projection_.stride();
      Parts parts;
      kept_step = all * stride;
      const size_t rows_at = parts.take(of.projection_.packed_floats()), offset_at = parts.take(of.z_);
      const size_t h_at = parts.take(all * stride), z_at = parts.take(all * of.z_);
      const size_t kept_at = parts.take(of.projection_.kept() * kept_step);
      const size_t score_at = parts.take(all * of.codes_), code_at = parts.take(all * of.codes_ / 2);
      parts.take(kTile);  // kernels prefetch rows by codes a few past the last
      floats = parts.size();
      if (!memory) return;
      rows = at + rows_at;
      offset = at + offset_at;
      h = {at + h_at, stride};
      z = {at + z_at, of.z_};
      kept = at + kept_at;
      codes = {reinterpret_cast<uint16_t*>(at + code_at), at + score_at, of.codes_};
    }
  };

  // Sums over tokens.
  struct Sums {
    size_t rows, offset, gamma, beta, bias, floats;

    explicit Sums(const LookupffnTraining& of) {
      Parts parts;
      rows = parts.take(of.projection_.packed_floats());
      offset = parts.take(of.z_);
      gamma = parts.take(of.packed_.input());
      beta = parts.take(of.packed_.input());
      bias = parts.take(of.packed_.row);
      floats = parts.size();
    }
  };

  // What a tile of tokens is worked on in.
  struct Tile {
    size_t x, d_z, d_h, d_x, normal, work, floats;

    explicit Tile(const LookupffnTraining& of) {
      const size_t input = of.packed_.input();
      Parts parts;
      x = parts.take(kTile * input);
      d_z = parts.take(kTile * of.z_);
      d_h = parts.take(kTile * input);
      d_x = parts.take(kTile * input);
      normal = parts.take(kTile * input);
      work = parts.take(of.projection_.backward_floats(kTile));
      floats = parts.size();
    }
  };

  // Tokens n..n+count-1. sums: to which theirs are added.
  void backward_tile(const Saved& saved, const InputRows& x, const InputRows& d_y, size_t n, size_t count,
                     const FloatRows& d_score, const float* gamma, float* d_x, const Sums& sums, float* to, const Tile& tile,
                     float* work) const {
    const size_t outputs = packed_.tables * packed_.bits, input = packed_.input(), d_in = packed_.d_in;
    const size_t whole = round_up(count, kernels_.hash().product_tokens);
    const FloatRows h = {saved.h.row(n), saved.h.stride}, z = {saved.z.row(n), saved.z.stride};
    const FloatRows d_z = {work + tile.d_z, z_}, d_h = {work + tile.d_h, input}, normal = {work + tile.normal, input};
    kernels_.score_gradient(z, codes_, packed_.bits, {d_score.row(n), d_score.stride}, count, d_z);
    for (size_t k = 0; k < count; ++k) std::fill(d_z.row(k) + outputs, d_z.row(k) + z_, 0.0f);
    kernels_.column_sums(d_z.data, z_, outputs, count, to + sums.offset);
    kernels_.column_sums(d_y.row(n), size_t(d_y.stride), packed_.d_out, count, to + sums.bias);
    projection_.backward(kernels_, saved.rows, h, saved.kept + n * projection_.stride(), saved.kept_step, d_z, skip_, whole,
                         count, d_h, to + sums.rows, work + tile.work);
    for (size_t k = 0; k < count && d_in < input; ++k) std::fill(d_h.row(k) + d_in, d_h.row(k) + input, 0.0f);
    const InputRows from = input_rows(x, n, count, work + tile.x);
    const FloatRows to_x = d_in == input ? FloatRows{d_x + n * d_in, d_in} : FloatRows{work + tile.d_x, input};
    kernels_.layer_norm_gradient(from.data, from.stride, input, gamma, d_h, d_in, shape.layer_norm_eps, count, to_x, normal);
    for (size_t k = 0; k < count && d_in < input; ++k) {
      std::memcpy(d_x + (n + k) * d_in, to_x.row(k), d_in * sizeof(float));
    }
    kernels_.column_sums(d_h.data, input, normal.data, input, d_in, count, to + sums.gamma);
    kernels_.column_sums(d_h.data, input, d_in, count, to + sums.beta);
  }

  // Rows of x as kernels read them, padded with zeros.
  InputRows input_rows(const InputRows& x, size_t first, size_t count, float* copy) const {
    const size_t input = packed_.input();
    if (packed_.d_in == input) return {x.row(first), x.stride};
    for (size_t n = 0; n < count; ++n) padded(x.row(first + n), packed_.d_in, copy + n * input, input);
    return {copy, ptrdiff_t(input)};
  }

  static void padded(const float* from, size_t floats, float* to, size_t width) {
    std::memcpy(to, from, floats * sizeof(float));
    std::fill(to + floats, to + width, 0.0f);
  }

  const PackedShape packed_;
  const TrainingKernels kernels_;
  const TrainingProjection projection_;
  const size_t codes_;  // floats between rows of codes and scores
  const size_t z_;      // and of v and z
  const float skip_;
};

}  // namespace

std::unique_ptr<lookupffn_training> make_lookupffn_training(const lookupffn_shape& shape, const char* isa) {
  return std::make_unique<LookupffnTraining>(shape, isa);
}

}  // namespace lookupffn
