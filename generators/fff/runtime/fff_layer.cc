// Running a fast feed-forward layer: how tokens are shared out between threads, and go through the kernels.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "failure.h"
#include "fff_kernel_choice.h"
#include "fff_model_file.h"
#include "kernel_arguments.h"
#include "kernel_call.h"
#include "layer.h"
#include "packed_fff.h"
#include "parallel_tasks.h"
#include "runtime_family.h"

namespace lookupffn {
namespace {

constexpr halide_type_t kInt32(halide_type_int, 32);
// Tokens that go through the kernels at a time: fewer where they have many codes.
constexpr size_t kLargestChunk = 64, kChunkCodes = size_t(1) << 16;
// Strides beyond this would overflow a kernel's 32-bit offsets within a chunk.
constexpr ptrdiff_t kLargestStride = ptrdiff_t(1) << 22;
// Below so many bytes of weights to read, a thread is not worth waking.
constexpr size_t kWorthSharing = size_t(64) << 10;

enum Activation { kNone, kRelu, kGelu };  // as fff_leaf_product counts them

class FffLayer final : public lookupffn_layer {
 public:
  FffLayer(const ModelLayer& source, const FffWeights& weights, const PackRequest& request)
      : lookupffn_layer(source, request), packed(pack_fff(weights, request.table_type)) {
    kernels = choose_kernels(request.kernels);
  }

  std::unique_ptr<const KernelSet> choose_kernels(lookupffn_kernels wanted) const override {
    return std::make_unique<FffKernels>(choose_fff_kernels(packed.shape, isa, wanted));
  }
  PackedSizes sizes() const override {
    return {packed.table_bytes, packed.node_bytes, packed.memory.bytes(), packed.memory.huge_page_bytes()};
  }
  void forward(lookupffn_threads& threads, const InputRows& x, const OutputRows& y, size_t tokens) const override;
  void hash(lookupffn_threads& threads, const InputRows& x, int32_t* code, float* score, size_t tokens) const override;
  void gather(lookupffn_threads& threads, const int32_t* code, const float* score, const OutputRows& y,
              size_t tokens) const override;

  const FffKernels& choice() const { return static_cast<const FffKernels&>(*kernels); }

  const PackedFff packed;
};

size_t chunk_of(const FffShape& shape) { return std::clamp<size_t>(kChunkCodes / shape.path(), 1, kLargestChunk); }

// One task's tokens, a chunk at a time. Its scratch is part of the call's.
class Task {
 public:
  static size_t bytes(const FffShape& shape) { return Task(shape, nullptr).end_; }

  Task(const FffLayer& layer, size_t call_tokens, char* scratch) : Task(layer.packed.shape, scratch) {
    packed_ = &layer.packed;
    kernels_ = &layer.choice();
    call_tokens_ = call_tokens;
  }

  int32_t* code() const { return code_; }
  float* score() const { return score_; }

  // Codes and scores of tokens first..first+count-1 of x, count up to chunk_of().
  void descend(const InputRows& rows, size_t first, size_t count) {
    x_ = kernel_rows(rows, first, count);
    if (!kernels_->descent.empty()) {
      int zero_right = packed_->zero_right;
      BufferArgument x(x_.data, {{shape_.in(), 1}, {count, x_.stride}});
      BufferArgument weight = weight_argument(), bias = bias_argument();
      BufferArgument code(kInt32, code_, {{shape_.levels(), 1}, {shape_.trees, levels()}, {count, path()}});
      BufferArgument score(score_, {{shape_.levels(), 1}, {shape_.trees, levels()}, {count, path()}});
      void* arguments[] = {x.pointer(), weight.pointer(), bias.pointer(), &zero_right, code.pointer(), score.pointer()};
      call_kernel(*kernels_->descent[kernels_->descent.index(call_tokens_)], arguments);
      return;
    }
    for (size_t n = 0; n < count * shape_.trees; ++n) code_[n * shape_.levels()] = 0;
    for (size_t level = 0; level < shape_.logits(); ++level) descend_level(level, count);
    if (shape_.has_leaves()) {
      for (size_t n = 0; n < count; ++n) score_[n * shape_.levels() + shape_.depth] = 1;
    }
  }

  // y of these tokens, which have gone down.
  void retrieve(const OutputRows& y, size_t first, size_t count) {
    if (shape_.has_leaves()) {
      retrieve_from_leaves(y, first, count);
    } else {
      add_rows(code_, score_, y, first, count);
    }
  }

  // y[n] = sum of score * row, for codes and scores of `count` tokens.
  void add_rows(const int32_t* codes, const float* scores, const OutputRows& y, size_t first, size_t count) {
    BufferArgument code(kInt32, codes, {{shape_.levels(), 1}, {shape_.trees, levels()}, {count, path()}});
    BufferArgument score(scores, {{shape_.levels(), 1}, {shape_.trees, levels()}, {count, path()}});
    BufferArgument table(packed_->rows, {{shape_.out(), 1},
                                         {shape_.nodes(), ptrdiff_t(shape_.out())},
                                         {shape_.trees, ptrdiff_t(shape_.nodes() * shape_.out())}});
    with_output(y, first, count, [&](float* to, ptrdiff_t stride) {
      BufferArgument out(to, {{shape_.out(), 1}, {count, stride}});
      void* arguments[] = {code.pointer(), score.pointer(), table.pointer(), out.pointer()};
      call_kernel(*kernels_->rows[kernels_->rows.index(call_tokens_)], arguments);
    });
  }

 private:
  Task(const FffShape& shape, char* scratch) : shape_(shape), scratch_(scratch) {
    const size_t chunk = chunk_of(shape);
    x_copy_ = take<float>(chunk * shape.in());
    code_ = take<int32_t>(chunk * shape.path());
    score_ = take<float>(chunk * shape.path());
    next_ = take<int32_t>(chunk * shape.trees);
    hidden_ = take<float>(chunk * shape.hidden_row());
    y_copy_ = take<float>(chunk * shape.out());
  }

  template <class Value>
  Value* take(size_t count) {
    const size_t at = end_;
    end_ += round_up(count * sizeof(Value) + 64, 64);
    return scratch_ ? reinterpret_cast<Value*>(scratch_ + at) : nullptr;
  }

  ptrdiff_t levels() const { return ptrdiff_t(shape_.levels()); }
  ptrdiff_t path() const { return ptrdiff_t(shape_.path()); }

  BufferArgument weight_argument() const {
    return BufferArgument(
        packed_->node_weight,
        {{shape_.in(), 1}, {shape_.nodes(), ptrdiff_t(shape_.in())}, {shape_.trees, ptrdiff_t(shape_.nodes() * shape_.in())}});
  }
  BufferArgument bias_argument() const {
    return BufferArgument(packed_->node_bias, {{shape_.nodes(), 1}, {shape_.trees, ptrdiff_t(shape_.nodes())}});
  }

  // The rows as the kernels read them: padded with zeros, at a stride that they can count.
  InputRows kernel_rows(const InputRows& x, size_t first, size_t count) const {
    if (shape_.d_in == shape_.in() && std::labs(long(x.stride)) <= kLargestStride) return {x.row(first), x.stride};
    for (size_t n = 0; n < count; ++n) {
      float* const to = x_copy_ + n * shape_.in();
      std::memcpy(to, x.row(first + n), shape_.d_in * sizeof(float));
      std::fill(to + shape_.d_in, to + shape_.in(), 0.0f);
    }
    return {x_copy_, ptrdiff_t(shape_.in())};
  }

  void descend_level(size_t level, size_t count) {
    int zero_right = packed_->zero_right;
    BufferArgument x(x_.data, {{shape_.in(), 1}, {count, x_.stride}});
    BufferArgument weight = weight_argument(), bias = bias_argument();
    BufferArgument node(kInt32, code_ + level, {{shape_.trees, levels()}, {count, path()}});
    BufferArgument score(score_ + level, {{shape_.trees, levels()}, {count, path()}});
    const bool last = level == shape_.depth;  // whose nodes have no children
    BufferArgument next(kInt32, last ? next_ : code_ + level + 1,
                        {{shape_.trees, last ? 1 : levels()}, {count, last ? ptrdiff_t(shape_.trees) : path()}});
    void* arguments[] = {x.pointer(),    weight.pointer(), bias.pointer(), &zero_right,
                         node.pointer(), next.pointer(),   score.pointer()};
    call_kernel(*kernels_->level, arguments);
  }

  void retrieve_from_leaves(const OutputRows& y, size_t first, size_t count) {
    // The last level's nodes are numbered from leaves - 1 on.
    for (size_t n = 0; n < count; ++n) next_[n] = code_[n * shape_.levels() + shape_.depth] - int32_t(shape_.leaves() - 1);
    product(kernels_->hidden, x_.data, x_.stride, shape_.d_in, packed_->w1, packed_->b1, packed_->gelu ? kGelu : kRelu, count,
            hidden_, ptrdiff_t(shape_.hidden_row()), shape_.hidden_row());
    with_output(y, first, count, [&](float* to, ptrdiff_t stride) {
      product(kernels_->output, hidden_, ptrdiff_t(shape_.hidden_row()), shape_.hidden, packed_->w2, packed_->b2, kNone, count,
              to, stride, shape_.out());
    });
  }

  void product(const KernelRanges& kernels, const float* from, ptrdiff_t from_stride, size_t inputs, const float* weights,
               const float* biases, int activation, size_t count, float* to, ptrdiff_t to_stride, size_t outputs) const {
    BufferArgument in(from, {{inputs, 1}, {count, from_stride}});
    BufferArgument leaf(kInt32, next_, {{count, 1}});
    BufferArgument weight(weights,
                          {{outputs, 1}, {inputs, ptrdiff_t(outputs)}, {shape_.leaves(), ptrdiff_t(inputs * outputs)}});
    BufferArgument bias(biases, {{outputs, 1}, {shape_.leaves(), ptrdiff_t(outputs)}});
    BufferArgument out(to, {{outputs, 1}, {count, to_stride}});
    void* arguments[] = {in.pointer(), leaf.pointer(), weight.pointer(), bias.pointer(), &activation, out.pointer()};
    call_kernel(*kernels[kernels.index(call_tokens_)], arguments);
  }

  // Has `write` fill rows of out() floats, of y or of a copy; adds the residual.
  template <class Write>
  void with_output(const OutputRows& y, size_t first, size_t count, Write write) const {
    // Where y is x, the residual is lost once a row is written.
    const bool copied = shape_.d_out != shape_.out() || std::labs(long(y.stride)) > kLargestStride || y.residual == y.data;
    if (copied) {
      write(y_copy_, ptrdiff_t(shape_.out()));
    } else {
      write(y.row(first), y.stride);
    }
    if (!copied && !y.residual) return;
    for (size_t n = 0; n < count; ++n) {
      float* const to = y.row(first + n);
      const float* const from = copied ? y_copy_ + n * shape_.out() : to;
      const float* const residual = y.residual ? y.residual + ptrdiff_t(first + n) * y.residual_stride : nullptr;
      for (size_t d = 0; d < shape_.d_out; ++d) to[d] = residual ? from[d] + residual[d] : from[d];
    }
  }

  const FffShape& shape_;
  char* const scratch_;
  size_t end_ = 0;
  float* x_copy_;
  int32_t* code_;  // [chunk, trees, levels]
  float* score_;   // likewise
  int32_t* next_;  // [chunk, trees]: nodes below the last level, or [chunk]: leaves
  float* hidden_;  // [chunk, hidden_row]
  float* y_copy_;
  InputRows x_{};  // of the chunk
  const PackedFff* packed_ = nullptr;
  const FffKernels* kernels_ = nullptr;
  size_t call_tokens_ = 0;
};

// Runs visit(task, first, count) for chunks of the tokens on the threads.
template <class Visit>
void for_chunks(const FffLayer& layer, lookupffn_threads& threads, size_t tokens, Visit visit) {
  const FffShape& shape = layer.packed.shape;
  const size_t token_bytes =
      sizeof(float) * (shape.trees * shape.logits() * shape.in() +
                       (shape.has_leaves() ? shape.hidden * (shape.d_in + shape.out()) : shape.path() * shape.out()));
  const size_t worth = std::max<size_t>(1, kWorthSharing / token_bytes);  // tokens
  const size_t parts = std::max<size_t>(1, std::min(threads.count, tokens / worth));
  const size_t bytes = round_up(Task::bytes(shape), 64), chunk = chunk_of(shape);
  const ScratchPool::Lease lease(layer.scratch);
  char* const scratch = (*lease).reserve(parts * bytes);
  run_tasks(threads, parts, [&](size_t i) {
    const Share share(tokens, parts, i, 1);
    Task task(layer, tokens, scratch + i * bytes);
    for (size_t n = 0; n < share.count; n += chunk) visit(task, share.first + n, std::min(chunk, share.count - n));
  });
}

void FffLayer::forward(lookupffn_threads& threads, const InputRows& x, const OutputRows& y, size_t tokens) const {
  for_chunks(*this, threads, tokens, [&](Task& task, size_t first, size_t count) {
    task.descend(x, first, count);
    task.retrieve(y, first, count);
  });
}

void FffLayer::hash(lookupffn_threads& threads, const InputRows& x, int32_t* code, float* score, size_t tokens) const {
  const FffShape& shape = packed.shape;
  for_chunks(*this, threads, tokens, [&](Task& task, size_t first, size_t count) {
    task.descend(x, first, count);
    const size_t path = shape.path();
    if (!shape.has_leaves()) {
      if (code) std::copy_n(task.code(), count * path, code + first * path);
      if (score) std::copy_n(task.score(), count * path, score + first * path);
      return;
    }
    for (size_t n = 0; n < count; ++n) {
      if (code) code[first + n] = task.code()[n * path + shape.depth] - int32_t(shape.leaves() - 1);
      if (score) score[first + n] = task.score()[n * path + shape.depth];
    }
  });
}

void FffLayer::gather(lookupffn_threads& threads, const int32_t* code, const float* score, const OutputRows& y,
                      size_t tokens) const {
  const FffShape& shape = packed.shape;
  if (shape.has_leaves())
    refuse("lookupffn_gather", " whose leaves are networks has no rows to gather: call lookupffn_forward");
  for_chunks(*this, threads, tokens, [&](Task& task, size_t first, size_t count) {
    task.add_rows(code + first * shape.path(), score + first * shape.path(), y, first, count);
  });
}

class FffModelLayer final : public ModelLayer {
 public:
  FffModelLayer(const SafetensorsFile& file, const std::string& prefix)
      : ModelLayer(prefix), weights_(read_fff_layer(file, prefix)) {
    set_shape(weights_.shape);
  }
  const FffWeights& weights() const { return weights_; }

  std::unique_ptr<lookupffn_layer> pack(const PackRequest& request) const override {
    return std::make_unique<FffLayer>(*this, weights_, request);
  }

 private:
  const FffWeights weights_;
};

std::unique_ptr<ModelLayer> read_layer(const SafetensorsFile& file, const std::string& prefix) {
  return std::make_unique<FffModelLayer>(file, prefix);
}

}  // namespace

const FffWeights& fff_weights_of(const ModelLayer& layer) {
  if (const auto* own = dynamic_cast<const FffModelLayer*>(&layer)) return own->weights();
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT,
                "layer '" + layer.prefix() + "' is of family " + layer.shape().family + ", not fff");
}

extern const RuntimeFamily fff_runtime_family;
const RuntimeFamily fff_runtime_family = {"fff", "linear_in.weight, node_weights or w1s", find_fff_layers, read_layer};

}  // namespace lookupffn
