// The hash with libxsmm's generated small matrix products for BH4's blocks. As strong as the library lets it
// be: the within-block Hadamard transform is folded into the blocks beforehand, zero-padded blocks are
// skipped in the first stage, and the rest is vectorised (bh4_steps_fast_math.cc).
#include <libxsmm.h>
#include <omp.h>

#include <algorithm>
#include <stdexcept>

#include "bh4_steps.h"
#include "compared_tables.h"
#include "native_build.h"

namespace lookupffn::bench {
namespace {

class Libxsmm : public Contender {
 public:
  Libxsmm(const ComparedTables& compared, const Setting& setting)
      : layer_(compared.weights()),
        shape_(layer_.shape),
        padded_(reference::padded_width(shape_)),
        x_(compared.ring.x),
        threads_(setting.threads) {
    libxsmm_init();
    fold_weights();
    code_.resize(setting.largest_call * shape_.tables);
    score_.resize(code_.size());
    scratch_.resize(setting.threads * 3 * kTile * padded_);
  }

  void set_tokens(size_t tokens) override {
    whole_ = product(kTile);
    tail_ = product(tokens % kTile);
  }

  void run(Part, size_t first, size_t tokens) override {
    const int tiles = static_cast<int>((tokens + kTile - 1) / kTile), threads = static_cast<int>(threads_);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int tile = 0; tile < tiles; ++tile) {
      const size_t from = tile * kTile, count = std::min<size_t>(kTile, tokens - from);
      hash_tile(first + from, from, count, omp_get_thread_num());
    }
  }

  std::vector<float> y(size_t) const override { return {}; }
  const int32_t* code() const override { return code_.data(); }
  const float* score() const override { return score_.data(); }
  std::string isa() const override { return libxsmm_get_target_arch(); }
  std::string schedule() const override { return "libxsmm " LIBXSMM_VERSION ", tiles of 16 tokens"; }

 private:
  static constexpr size_t kTile = 16;

  // [repeats, 4, p/block, block (in), block (out)]: H_block W, transposed to libxsmm's column-major order.
  void fold_weights() {
    const std::vector<float>& from = layer_.weight;
    const size_t block = shape_.block;
    weight_.resize(from.size());
    for (size_t matrix = 0; matrix < from.size(); matrix += block * block) {
      for (size_t i = 0; i < block; ++i) {
        for (size_t o = 0; o < block; ++o) {
          double sum = 0;
          for (size_t k = 0; k < block; ++k) {
            const double w = from[matrix + k * block + i];
            sum += __builtin_parityll(o & k) ? -w : w;
          }
          weight_[matrix + i * block + o] = static_cast<float>(sum);
        }
      }
    }
  }

  // block x block times block x tokens; tokens are padded() floats apart.
  libxsmm_smmfunction product(size_t tokens) const {
    if (tokens == 0) return nullptr;
    const auto block = static_cast<libxsmm_blasint>(shape_.block);
    const auto padded = static_cast<libxsmm_blasint>(padded_);
    const float one = 1, zero = 0;
    const libxsmm_smmfunction made = libxsmm_smmdispatch(block, static_cast<libxsmm_blasint>(tokens), block, &block, &padded,
                                                         &padded, &one, &zero, nullptr, nullptr);
    if (made == nullptr) throw std::runtime_error("libxsmm generates no kernel for this CPU");
    return made;
  }

  void hash_tile(size_t ring_token, size_t token, size_t tokens, int thread) {
    const size_t d = shape_.d_in, p = padded_, block = shape_.block, bits = shape_.bits, tables = shape_.tables;
    const size_t outputs = tables * bits;
    const int n = static_cast<int>(tokens), width = static_cast<int>(p);
    const libxsmm_smmfunction multiply = tokens == kTile ? whole_ : tail_;
    float* h = &scratch_[thread * 3 * kTile * p];
    layer_norm_tile(&x_[ring_token * d], layer_.gamma.data(), layer_.beta.data(), shape_.layer_norm_eps, h, n,
                    static_cast<int>(d), width);
    for (size_t r = 0; r < shape_.repeats; ++r) {
      const float* source = h;
      float* destination = h + kTile * p;
      for (size_t s = 0; s < 4; ++s) {
        for (size_t b = 0; b < p / block; ++b) {
          if (s == 0 && b * block >= d) {
            for (size_t k = 0; k < tokens; ++k) std::fill_n(destination + k * p + b * block, block, 0.0f);
            continue;
          }
          multiply(&weight_[((r * 4 + s) * p + b * block) * block], source + b * block, destination + b * block);
        }
        hadamard_across_blocks(destination, n, width, static_cast<int>(block));
        source = destination;
        destination = destination == h + kTile * p ? h + 2 * kTile * p : h + kTile * p;
      }
      const size_t used = std::min(p, outputs - r * p);
      code_and_score_tile(source, h, &layer_.projection_bias[r * p], shape_.decay, n, width, static_cast<int>(used),
                          static_cast<int>(bits), &code_[token * tables + r * p / bits], &score_[token * tables + r * p / bits],
                          static_cast<int>(tables));
    }
  }

  const reference::Layer& layer_;
  const lookupffn_shape& shape_;
  const size_t padded_;
  const std::vector<float>& x_;
  const size_t threads_;
  std::vector<float> weight_, score_, scratch_;
  std::vector<int32_t> code_;
  libxsmm_smmfunction whole_ = nullptr, tail_ = nullptr;
};

}  // namespace

ContenderKind libxsmm_contender() {
  return {"libxsmm",
          "BH4 hash, libxsmm f32",
          ContenderKind::Computes::kLayer,
          {Part::kHash},
          "f32",
          native_build_missing(),
          [](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
            return std::make_unique<Libxsmm>(tables_of(layer), setting);
          },
          has_bh4};
}

}  // namespace lookupffn::bench
