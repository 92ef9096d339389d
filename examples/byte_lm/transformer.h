// The causal transformer around the feed-forward layers: embedding, attention, logits.
#ifndef BYTE_LM_TRANSFORMER_H
#define BYTE_LM_TRANSFORMER_H

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "feed_forward.h"
#include "matrix.h"
#include "thread_pool.h"

namespace byte_lm {

constexpr size_t kVocabulary = 256;  // bytes

enum Part { kEmbedding, kAttention, kFeedForward, kLogits, kParts };
constexpr const char* kPartNames[kParts] = {"embedding", "attention", "FFN", "logits"};
using PartSeconds = std::array<double, kParts>;

struct TransformerShape {
  explicit TransformerShape(const TensorFile& file);  // from the file's metadata
  size_t width, layers, heads, max_length;
};

class Transformer {
 public:
  // Reads all but the feed-forward layers from `file`; `feed_forward` has one for each layer, under the
  // prefix ffn_prefix(layer). `pool` must outlive the transformer.
  Transformer(const TensorFile& file, std::vector<std::unique_ptr<FeedForward>> feed_forward, ThreadPool* pool);

  static std::string ffn_prefix(size_t layer);

  const TransformerShape& shape() const { return shape_; }

  // Logits [sequences * length, 256] for bytes `ids` [sequences, length] of values 0..255; length <=
  // max_length. Adds the time of each part to *seconds.
  Matrix logits(const int32_t* ids, size_t sequences, size_t length, PartSeconds* seconds) const;

  // A text that is continued: the keys and values of its bytes, so that another byte costs one token.
  class Context {
   public:
    explicit Context(const Transformer& model);
    size_t length() const { return length_; }  // bytes so far
    void clear() { length_ = 0; }

   private:
    friend class Transformer;
    std::vector<Matrix> keys_, values_;  // of each layer, [max_length, width]
    size_t length_ = 0;
  };

  // Logits [256] behind `count` more bytes of a text, 1 or more; context->length() + count <= max_length. Adds the time of each
  // part to *seconds.
  Row next_logits(const int32_t* ids, size_t count, Context* context, PartSeconds* seconds) const;

 private:
  struct Attention {
    Attention(const TensorFile& file, const std::string& prefix, size_t width);
    LayerNorm norm;
    Linear query, key, value, dense;
  };

  // Sequences of `length` bytes each, the first at position `position`: [sequences * length, width].
  Matrix embed(const int32_t* ids, size_t sequences, size_t length, size_t position) const;
  // x += attention of a sequence to itself.
  void add_attention(const Attention& attention, size_t sequences, size_t length, Matrix* x) const;
  // x += attention of the rows of x, which come next in the text, to all of it up to themselves.
  void add_attention(const Attention& attention, size_t layer, Context* context, Matrix* x) const;
  // softmax(causal(q k^T / sqrt(head width))) v, a head at a time. The rows of q are the last of the keys'.
  Matrix attend(const Matrix& q, const ConstRows& k, const ConstRows& v) const;
  Matrix project(const Matrix& x) const;

  TransformerShape shape_;
  Matrix token_, position_;  // [256, width], [max_length, width]
  std::vector<Attention> attention_;
  LayerNorm norm_;
  std::vector<std::unique_ptr<FeedForward>> feed_forward_;
  ThreadPool* pool_;
};

}  // namespace byte_lm
#endif
