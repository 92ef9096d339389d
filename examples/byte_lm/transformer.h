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

  // The same for one sequence and its last position only: [256].
  Row next_logits(const int32_t* ids, size_t length) const;

 private:
  struct Attention {
    Attention(const TensorFile& file, const std::string& prefix, size_t width);
    LayerNorm norm;
    Linear query, key, value, dense;
  };

  // The hidden state behind the last layer, [sequences * length, width].
  Matrix hidden(const int32_t* ids, size_t sequences, size_t length, PartSeconds* seconds) const;
  Matrix embed(const int32_t* ids, size_t sequences, size_t length) const;
  void add_attention(const Attention& attention, size_t sequences, size_t length, Matrix* x) const;
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
