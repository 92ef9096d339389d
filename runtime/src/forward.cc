// Running a layer: how tokens are shared out between threads, and the C calls that do.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <string>

#include "failure.h"
#include "gather.h"
#include "hash.h"
#include "kernel_stack.h"
#include "layer.h"
#include "lookupffn/lookupffn.h"
#include "row_overlap.h"
#include "status.h"
#include "threads.h"

namespace lookupffn {
namespace {

// Below so many bytes of weights and rows to read, a token is not worth a second thread.
constexpr size_t kWorthSharing = size_t(192) << 10;
// Codes of a batch take at most so much memory; more tokens go in several batches.
constexpr size_t kCodeBytes = size_t(64) << 20;

// Runs tasks on the threads, on stacks that are large enough for kernels, and passes on the first failure: tasks must not
// throw through a pool.
template <class Task>
void run_tasks(lookupffn_threads& threads, size_t tasks, Task task) {
  if (tasks == 1 && has_kernel_stack()) {
    task(0);
    return;
  }
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  const auto run_one = [&](size_t i) {
    try {
      task(i);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  };
  threads.run(tasks, [&](size_t i) {
    try {
      on_kernel_stack([&] { run_one(i); });
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  });
  if (failed) std::rethrow_exception(failure);
}

// The i-th of `parts` shares of `total`, in multiples of `grain` but for the last.
struct Share {
  size_t first, count;

  Share(size_t total, size_t parts, size_t i, size_t grain) {
    const size_t grains = (total + grain - 1) / grain;
    first = std::min(total, grains * i / parts * grain);
    count = std::min(total, grains * (i + 1) / parts * grain) - first;
  }
};

// One batch of tokens: where its codes are, and the scratch of each task.
class Batch {
 public:
  // y NULL: hash only. Otherwise hash and gather, or gather only where the caller fills codes().
  Batch(const lookupffn_layer& layer, lookupffn_threads& threads, size_t tokens, const OutputRows* y)
      : layer_(layer), threads_(threads), shape_(layer.packed.shape), tokens_(tokens),
        lease_(layer.scratch) {
    parts_ = std::min(threads.count, std::max<size_t>(tokens, 1));
    const size_t sharers = std::max(parts_, tokens == 1 ? threads.count : parts_);
    const size_t hash_bytes = round_up(hash_scratch_bytes(layer), 64);
    const size_t gather_bytes = y ? round_up(gather_scratch_bytes(layer, *y, tokens), 64) : 0;
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
    if (tokens_ == 1 && shares_one_token() && !layer_.kernels.shared_hash.empty()) {
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
      const size_t grain = gather_grain(layer_, tokens_);
      const size_t parts = std::min(threads_.count, (shape_.row + grain - 1) / grain);
      run_tasks(threads_, parts, [&](size_t i) {
        const Share floats(shape_.row, parts, i, grain);
        if (floats.count == 0) return;
        gather_tokens(layer_, tokens_, codes_, 0, tokens_, floats.first, floats.first + floats.count, y, gather_scratch(i));
      });
      return;
    }
    run_tasks(threads_, parts_, [&](size_t i) {
      const Share share = token_share(i);
      gather_tokens(layer_, tokens_, codes_, share.first, share.count, 0, shape_.row, y, gather_scratch(i));
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
      gather_tokens(layer_, tokens_, codes_, share.first, share.count, 0, shape_.row, y, gather_scratch(i));
    });
  }

 private:
  bool shares_one_token() const {
    return threads_.count > 1 &&
           layer_.packed.projection.bytes() + (layer_.packed.tables.bytes() >> shape_.bits) >= kWorthSharing;
  }
  bool shares_rows() const {
    if (threads_.count < 2) return false;
    return tokens_ == 1 ? shares_one_token() : layer_.kernels.gather[layer_.kernels.gather.index(tokens_)].wide.over_slices;
  }

  // Shares end at whole tiles of the class's hash kernel, so that few tokens are left to the smaller ones.
  Share token_share(size_t i) const {
    const auto& hash = layer_.kernels.hash;
    size_t grain = layer_.kernels.specialised_hash ? hash[hash.index(tokens_)].front().token_tile
                                                   : layer_.kernels.generic_hash.product_tokens;
    if (tokens_ < grain * parts_) grain = 1;
    return Share(tokens_, parts_, i, grain);
  }

  char* hash_scratch(size_t i) const { return tasks_ + i * task_bytes_; }
  char* gather_scratch(size_t i) const { return tasks_ + i * task_bytes_ + gather_at_; }

  const lookupffn_layer& layer_;
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

[[noreturn]] void invalid(const char* function, const std::string& what) {
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string(function) + ": " + what);
}

// The stride of one row or none means nothing: it is set to `row`.
void check_stride(const char* function, const char* name, ptrdiff_t& stride, size_t tokens, size_t row, bool output) {
  if (tokens <= 1) {
    stride = ptrdiff_t(row);
    return;
  }
  const size_t size = stride < 0 ? size_t(0) - size_t(stride) : size_t(stride);
  if (output && size < row) {
    invalid(function, std::string(name) + " is " + std::to_string(stride) + ": rows of " + std::to_string(row) + " floats overlap");
  }
  if (size != 0 && tokens > size_t(std::numeric_limits<ptrdiff_t>::max()) / sizeof(float) / size) {
    invalid(function, std::string(name) + " times tokens passes the address space");
  }
}

}  // namespace
}  // namespace lookupffn

using namespace lookupffn;

extern "C" {

lookupffn_status lookupffn_forward(const lookupffn_layer* layer, lookupffn_threads* threads, const float* x,
                                   ptrdiff_t x_stride, float* y, ptrdiff_t y_stride, size_t tokens, unsigned flags) {
  return guard([&] {
    const char* function = "lookupffn_forward";
    if (!layer) invalid(function, "layer is NULL");
    if (flags & ~unsigned(LOOKUPFFN_ADD_RESIDUAL)) invalid(function, "flags has unknown bits: " + std::to_string(flags));
    if ((flags & LOOKUPFFN_ADD_RESIDUAL) && layer->shape.d_in != layer->shape.d_out) {
      invalid(function, "LOOKUPFFN_ADD_RESIDUAL needs d_in = d_out; they are " + std::to_string(layer->shape.d_in) + " and " +
                            std::to_string(layer->shape.d_out));
    }
    if (tokens == 0) return;
    if (!x) invalid(function, "x is NULL");
    if (!y) invalid(function, "y is NULL");
    check_stride(function, "x_stride", x_stride, tokens, layer->shape.d_in, false);
    check_stride(function, "y_stride", y_stride, tokens, layer->shape.d_out, true);
    // A thread's rows are hashed before the first of them is written, so y may be x itself.
    const bool in_place = x == y && x_stride == y_stride && layer->shape.d_in == layer->shape.d_out;
    if (!in_place && rows_overlap({x, x_stride, layer->shape.d_in}, {y, y_stride, layer->shape.d_out}, tokens)) {
      invalid(function, "rows of y overlap rows of x: give y memory of its own, or exactly x's with the same stride");
    }
    const float* residual = (flags & LOOKUPFFN_ADD_RESIDUAL) ? x : nullptr;
    lookupffn_threads& pool = threads ? *threads : *default_threads();
    const size_t most = batch_tokens(layer->packed.shape);
    for (size_t n = 0; n < tokens; n += most) {
      const size_t count = std::min(most, tokens - n);
      const InputRows in{x + ptrdiff_t(n) * x_stride, x_stride};
      const OutputRows out{y + ptrdiff_t(n) * y_stride, y_stride, residual ? in.data : nullptr, x_stride};
      Batch(*layer, pool, count, &out).forward(in, out);
    }
  });
}

lookupffn_status lookupffn_hash(const lookupffn_layer* layer, lookupffn_threads* threads, const float* x,
                                ptrdiff_t x_stride, int32_t* code, float* score, size_t tokens) {
  return guard([&] {
    const char* function = "lookupffn_hash";
    if (!layer) invalid(function, "layer is NULL");
    if (tokens == 0) return;
    if (!x) invalid(function, "x is NULL");
    check_stride(function, "x_stride", x_stride, tokens, layer->shape.d_in, false);
    lookupffn_threads& pool = threads ? *threads : *default_threads();
    const PackedShape& shape = layer->packed.shape;
    const size_t most = batch_tokens(shape), tables = shape.tables;
    for (size_t n = 0; n < tokens; n += most) {
      const size_t count = std::min(most, tokens - n);
      Batch batch(*layer, pool, count, nullptr);
      batch.hash({x + ptrdiff_t(n) * x_stride, x_stride});
      const CodeRows& codes = batch.codes();
      for (size_t k = 0; k < count; ++k) {
        const uint16_t* code_row = codes.code + k * codes.stride;
        if (code) std::copy(code_row, code_row + tables, code + (n + k) * tables);
        const float* score_row = codes.score + k * codes.stride;
        if (score) std::copy(score_row, score_row + tables, score + (n + k) * tables);
      }
    }
  });
}

lookupffn_status lookupffn_gather(const lookupffn_layer* layer, lookupffn_threads* threads, const int32_t* code,
                                  const float* score, float* y, ptrdiff_t y_stride, size_t tokens) {
  return guard([&] {
    const char* function = "lookupffn_gather";
    if (!layer) invalid(function, "layer is NULL");
    if (tokens == 0) return;
    if (!code) invalid(function, "code is NULL");
    if (!score) invalid(function, "score is NULL");
    if (!y) invalid(function, "y is NULL");
    check_stride(function, "y_stride", y_stride, tokens, layer->shape.d_out, true);
    lookupffn_threads& pool = threads ? *threads : *default_threads();
    const PackedShape& shape = layer->packed.shape;
    const size_t most = batch_tokens(shape), tables = shape.tables;
    const int32_t rows = int32_t(1) << shape.bits;
    for (size_t n = 0; n < tokens; n += most) {
      const size_t count = std::min(most, tokens - n);
      const OutputRows out{y + ptrdiff_t(n) * y_stride, y_stride, nullptr, 0};
      Batch batch(*layer, pool, count, &out);
      const CodeRows& codes = batch.codes();
      for (size_t k = 0; k < count; ++k) {
        for (size_t t = 0; t < tables; ++t) {
          const int32_t value = code[(n + k) * tables + t];
          if (value < 0 || value >= rows) {
            invalid(function, "code[" + std::to_string(n + k) + ", " + std::to_string(t) + "] is " + std::to_string(value) +
                                  "; rows are 0 to " + std::to_string(rows - 1));
          }
          codes.code[k * codes.stride + t] = uint16_t(value);
        }
        std::copy(score + (n + k) * tables, score + (n + k + 1) * tables, codes.score + k * codes.stride);
      }
      batch.gather(out);
    }
  });
}

}  // extern "C"
