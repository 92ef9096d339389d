// Running a LookupFFN layer: how tokens are shared out between threads.
#include "lookupffn_layer.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "failure.h"
#include "gather.h"
#include "hash.h"
#include "lookupffn_model_file.h"
#include "lookupffn_training.h"
#include "parallel_tasks.h"

namespace lookupffn {
namespace {

// Below so many bytes of weights and rows to read, a token is not worth a second thread.
constexpr size_t kWorthSharing = size_t(192) << 10;
// Codes of a batch take at most so much memory; more tokens go in several batches.
constexpr size_t kCodeBytes = size_t(64) << 20;

// One batch of tokens: where its codes are, and the scratch of each task.
class Batch {
 public:
  // y NULL: hash only. Otherwise hash and gather, or gather only where the caller fills codes().
  Batch(const LookupffnLayer& layer, lookupffn_threads& threads, size_t tokens, const OutputRows* y)
      : layer_(layer), threads_(threads), shape_(layer.packed.shape), tokens_(tokens), lease_(layer.scratch) {
    parts_ = std::min(threads.count, std::max<size_t>(tokens, 1));
    const size_t sharers = std::max(parts_, tokens == 1 ? threads.count : parts_);
    const size_t hash_bytes = round_up(hash_scratch_bytes(layer), 64);
    const size_t gather_bytes = y ? round_up(gather_scratch_bytes(gathered(layer), *y, tokens), 64) : 0;
    task_bytes_ = hash_bytes + gather_bytes;
    gather_at_ = hash_bytes;
    const size_t stride = code_stride(shape_);
    // Kernels prefetch rows by codes a few past the last.
    const size_t code_bytes = round_up(tokens * stride * sizeof(uint16_t) + 256, 64);
    const size_t score_bytes = round_up(tokens * stride * sizeof(float) + 256, 64);
    char* memory = (*lease_).reserve(code_bytes + score_bytes + sharers * task_bytes_);
    codes_ = {reinterpret_cast<uint16_t*>(memory), reinterpret_cast<float*>(memory + code_bytes), stride};
    tasks_ = memory + code_bytes + score_bytes;
  }

  const CodeRows& codes() const { return codes_; }

  void hash(const InputRows& x) {
    if (tokens_ == 1 && shares_one_token() && !layer_.choice().shared_hash.empty()) {
      const size_t parts = std::min(threads_.count, shape_.shared_calls.size());
      run_tasks(threads_, parts, [&](size_t i) {
        const Share calls(shape_.shared_calls.size(), parts, i, 1);
        for (size_t call = calls.first; call < calls.first + calls.count; ++call) {
          hash_call(layer_, call, x.data, codes_.code, codes_.score, hash_scratch(i));
        }
      });
      hash_overflowed(layer_, x, 0, 1, codes_, hash_scratch(0));
      return;
    }
    run_tasks(threads_, parts_, [&](size_t i) {
      const Share share = token_share(i);
      hash_tokens(layer_, tokens_, x, share.first, share.count, codes_, hash_scratch(i));
    });
  }

  void gather(const OutputRows& y) {
    if (shares_rows()) {
      const size_t grain = gather_grain(gathered(layer_), tokens_);
      const size_t parts = std::min(threads_.count, (shape_.row + grain - 1) / grain);
      run_tasks(threads_, parts, [&](size_t i) {
        const Share floats(shape_.row, parts, i, grain);
        if (floats.count == 0) return;
        gather_tokens(gathered(layer_), tokens_, codes_, 0, tokens_, floats.first, floats.first + floats.count, y, gather_scratch(i));
      });
      return;
    }
    run_tasks(threads_, parts_, [&](size_t i) {
      const Share share = token_share(i);
      gather_tokens(gathered(layer_), tokens_, codes_, share.first, share.count, 0, shape_.row, y, gather_scratch(i));
    });
  }

  void forward(const InputRows& x, const OutputRows& y) {
    if (shares_rows()) {
      hash(x);
      gather(y);
      return;
    }
    // Each thread hashes all of its tokens and then gathers them: in turns of fewer, the projection's weights and
    // the rows drive each other out of the second-level cache.
    run_tasks(threads_, parts_, [&](size_t i) {
      const Share share = token_share(i);
      hash_tokens(layer_, tokens_, x, share.first, share.count, codes_, hash_scratch(i));
      gather_tokens(gathered(layer_), tokens_, codes_, share.first, share.count, 0, shape_.row, y, gather_scratch(i));
    });
  }

 private:
  bool shares_one_token() const {
    return threads_.count > 1 &&
           layer_.packed.projection.bytes() + (layer_.packed.tables.bytes() >> shape_.bits) >= kWorthSharing;
  }
  bool shares_rows() const {
    if (threads_.count < 2) return false;
    return tokens_ == 1 ? shares_one_token() : layer_.choice().gather[layer_.choice().gather.index(tokens_)].wide.over_slices;
  }

  // Shares end at whole tiles of the class's hash kernel, so that few tokens are left to the smaller ones.
  Share token_share(size_t i) const {
    const auto& hash = layer_.choice().hash;
    size_t grain = layer_.choice().specialised_hash ? hash[hash.index(tokens_)].front().token_tile
                                                    : layer_.choice().generic_hash.product_tokens;
    if (tokens_ < grain * parts_) grain = 1;
    return Share(tokens_, parts_, i, grain);
  }

  char* hash_scratch(size_t i) const { return tasks_ + i * task_bytes_; }
  char* gather_scratch(size_t i) const { return tasks_ + i * task_bytes_ + gather_at_; }

  const LookupffnLayer& layer_;
  lookupffn_threads& threads_;
  const PackedShape& shape_;
  const size_t tokens_;
  ScratchPool::Lease lease_;
  size_t parts_;
  size_t task_bytes_, gather_at_;
  CodeRows codes_;
  char* tasks_;
};

size_t batch_tokens(const PackedShape& shape) {
  const size_t by_memory = kCodeBytes / (code_stride(shape) * (sizeof(uint16_t) + sizeof(float)));
  return std::max<size_t>(1, std::min(kGatherTokens, by_memory));
}

std::unique_ptr<ModelLayer> read_layer(const SafetensorsFile& file, const std::string& prefix) {
  return std::make_unique<LookupffnModelLayer>(prefix, read_lookupffn_layer(file, prefix));
}

}  // namespace

extern const RuntimeFamily lookupffn_runtime_family;
const RuntimeFamily lookupffn_runtime_family = {"lookupffn", "hash.projection.weight", find_lookupffn_layers, read_layer,
                                               make_lookupffn_training};

const LayerWeights& weights_of(const ModelLayer& layer) {
  if (const auto* own = dynamic_cast<const LookupffnModelLayer*>(&layer)) return own->weights();
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT,
                "layer '" + layer.prefix() + "' of family " + layer.shape().family + " is not packed as lookupffn's are");
}

std::unique_ptr<lookupffn_layer> LookupffnModelLayer::pack(const PackRequest& request) const {
  return std::make_unique<LookupffnLayer>(*this, weights_, request);
}

LookupffnLayer::LookupffnLayer(const ModelLayer& source, const LayerWeights& weights, const PackRequest& request)
    : lookupffn_layer(source, request), packed(pack_layer(weights, request.isa, request.table_type, request.projection_type)) {
  kernels = choose_kernels(request.kernels);
}

std::unique_ptr<const KernelSet> LookupffnLayer::choose_kernels(lookupffn_kernels wanted) const {
  return std::make_unique<KernelChoice>(lookupffn::choose_kernels(packed.shape, isa, table_type, projection_type, wanted));
}

PackedSizes LookupffnLayer::sizes() const {
  return {packed.tables.bytes() + packed.scales.bytes(), packed.projection.bytes(), packed.memory.bytes(),
          packed.memory.huge_page_bytes()};
}

void LookupffnLayer::forward(lookupffn_threads& threads, const InputRows& x, const OutputRows& y, size_t tokens) const {
  const size_t most = batch_tokens(packed.shape);
  for (size_t n = 0; n < tokens; n += most) {
    const InputRows in{x.data + ptrdiff_t(n) * x.stride, x.stride};
    const OutputRows out{y.row(n), y.stride, y.residual ? y.residual + ptrdiff_t(n) * y.residual_stride : nullptr,
                         y.residual_stride};
    Batch(*this, threads, std::min(most, tokens - n), &out).forward(in, out);
  }
}

void LookupffnLayer::hash(lookupffn_threads& threads, const InputRows& x, int32_t* code, float* score, size_t tokens) const {
  const size_t most = batch_tokens(packed.shape), tables = packed.shape.tables;
  for (size_t n = 0; n < tokens; n += most) {
    const size_t count = std::min(most, tokens - n);
    Batch batch(*this, threads, count, nullptr);
    batch.hash({x.data + ptrdiff_t(n) * x.stride, x.stride});
    const CodeRows& codes = batch.codes();
    for (size_t k = 0; k < count; ++k) {
      const uint16_t* code_row = codes.code + k * codes.stride;
      if (code) std::copy(code_row, code_row + tables, code + (n + k) * tables);
      const float* score_row = codes.score + k * codes.stride;
      if (score) std::copy(score_row, score_row + tables, score + (n + k) * tables);
    }
  }
}

void LookupffnLayer::gather(lookupffn_threads& threads, const int32_t* code, const float* score, const OutputRows& y,
                            size_t tokens) const {
  const size_t most = batch_tokens(packed.shape), tables = packed.shape.tables;
  for (size_t n = 0; n < tokens; n += most) {
    const size_t count = std::min(most, tokens - n);
    const OutputRows out{y.row(n), y.stride, nullptr, 0};
    Batch batch(*this, threads, count, &out);
    const CodeRows& codes = batch.codes();
    for (size_t k = 0; k < count; ++k) {
      const int32_t* from = code + (n + k) * tables;
      std::copy(from, from + tables, codes.code + k * codes.stride);
      std::copy(score + (n + k) * tables, score + (n + k + 1) * tables, codes.score + k * codes.stride);
    }
    batch.gather(out);
  }
}

}  // namespace lookupffn
