#include "transformer.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace byte_lm {
namespace {

using Eigen::Index;

// Adds the time since its construction, or since the last call, to a part.
class PartTimer {
 public:
  explicit PartTimer(PartSeconds* seconds) : seconds_(seconds), last_(Clock::now()) {}
  void ended(Part part) {
    const Clock::time_point now = Clock::now();
    (*seconds_)[part] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  PartSeconds* seconds_;
  Clock::time_point last_;
};

std::string layer_prefix(size_t layer) { return "layer." + std::to_string(layer) + "."; }

}  // namespace

TransformerShape::TransformerShape(const TensorFile& file)
    : width(file.size("d")), layers(file.size("layers")), heads(file.size("heads")), max_length(file.size("seq")) {
  if (width % heads != 0) throw std::runtime_error("the model's width is not a multiple of its heads");
}

Transformer::Attention::Attention(const TensorFile& file, const std::string& prefix, size_t width)
    : norm(file, prefix, width),
      query(file, prefix + "query.", width, width),
      key(file, prefix + "key.", width, width),
      value(file, prefix + "value.", width, width),
      dense(file, prefix + "dense.", width, width) {}

Transformer::Transformer(const TensorFile& file, std::vector<std::unique_ptr<FeedForward>> feed_forward, ThreadPool* pool)
    : shape_(file),
      token_(read_matrix(file, "tok.weight", kVocabulary, shape_.width)),
      position_(read_matrix(file, "pos.weight", shape_.max_length, shape_.width)),
      norm_(file, "", shape_.width),
      feed_forward_(std::move(feed_forward)),
      pool_(pool) {
  if (feed_forward_.size() != shape_.layers) throw std::runtime_error("one feed-forward part a layer, please");
  for (size_t layer = 0; layer < shape_.layers; ++layer) {
    attention_.emplace_back(file, layer_prefix(layer) + "attention.", shape_.width);
  }
}

std::string Transformer::ffn_prefix(size_t layer) { return layer_prefix(layer) + "FFN."; }

Matrix Transformer::embed(const int32_t* ids, size_t sequences, size_t length, size_t position) const {
  Matrix x(static_cast<Index>(sequences * length), static_cast<Index>(shape_.width));
  for (Index n = 0; n < x.rows(); ++n) {
    x.row(n) = token_.row(ids[n]) + position_.row(static_cast<Index>(position) + n % static_cast<Index>(length));
  }
  return x;
}

Matrix Transformer::attend(const Matrix& q, const ConstRows& k, const ConstRows& v) const {
  const Index head_width = static_cast<Index>(shape_.width / shape_.heads);
  const float scale = 1 / std::sqrt(static_cast<float>(head_width));
  Matrix context(q.rows(), q.cols());
  Matrix scores(q.rows(), k.rows());
  for (Index head = 0; head < static_cast<Index>(shape_.heads); ++head) {
    const auto columns = Eigen::seqN(head * head_width, head_width);
    scores.noalias() = q(Eigen::all, columns) * k(Eigen::all, columns).transpose();
    for (Index n = 0; n < q.rows(); ++n) {
      const Index later = q.rows() - n - 1;
      auto seen = scores.row(n).head(k.rows() - later).array();
      seen = ((seen - seen.maxCoeff()) * scale).exp();
      seen /= seen.sum();
      scores.row(n).tail(later).setZero();
    }
    context(Eigen::all, columns).noalias() = scores * v(Eigen::all, columns);
  }
  return context;
}

void Transformer::add_attention(const Attention& attention, size_t sequences, size_t length, Matrix* x) const {
  const Index rows = static_cast<Index>(length);
  pool_->run(sequences, [&](size_t sequence) {
    auto tokens = x->middleRows(static_cast<Index>(sequence) * rows, rows);
    const Matrix h = attention.norm(tokens);
    tokens += attention.dense(attend(attention.query(h), attention.key(h), attention.value(h)));
  });
}

void Transformer::add_attention(const Attention& attention, size_t layer, Context* context, Matrix* x) const {
  const Matrix h = attention.norm(*x);
  Matrix &keys = context->keys_[layer], &values = context->values_[layer];
  const Index before = static_cast<Index>(context->length_), all = before + x->rows();
  keys.middleRows(before, x->rows()) = attention.key(h);
  values.middleRows(before, x->rows()) = attention.value(h);
  *x += attention.dense(attend(attention.query(h), keys.topRows(all), values.topRows(all)));
}

Matrix Transformer::project(const Matrix& x) const {
  Matrix out(x.rows(), static_cast<Index>(kVocabulary));
  parallel_ranges(pool_, static_cast<size_t>(x.rows()), 128, [&](size_t first, size_t count) {
    const Matrix h = norm_(x.middleRows(static_cast<Index>(first), static_cast<Index>(count)));
    out.middleRows(static_cast<Index>(first), static_cast<Index>(count)).noalias() = h * token_.transpose();
  });
  return out;
}

Matrix Transformer::logits(const int32_t* ids, size_t sequences, size_t length, PartSeconds* seconds) const {
  if (length == 0 || length > shape_.max_length) throw std::invalid_argument("a sequence is too long or empty");
  PartTimer timer(seconds);
  Matrix x = embed(ids, sequences, length, 0);
  Matrix y(x.rows(), x.cols());
  timer.ended(kEmbedding);
  for (size_t layer = 0; layer < shape_.layers; ++layer) {
    add_attention(attention_[layer], sequences, length, &x);
    timer.ended(kAttention);
    feed_forward_[layer]->forward(x, &y);
    x.swap(y);
    timer.ended(kFeedForward);
  }
  Matrix out = project(x);
  timer.ended(kLogits);
  return out;
}

Transformer::Context::Context(const Transformer& model) {
  const TransformerShape& shape = model.shape();
  const Matrix none(static_cast<Index>(shape.max_length), static_cast<Index>(shape.width));
  keys_.assign(shape.layers, none);
  values_.assign(shape.layers, none);
}

Row Transformer::next_logits(const int32_t* ids, size_t count, Context* context, PartSeconds* seconds) const {
  if (count == 0 || count > shape_.max_length - context->length_) throw std::invalid_argument("a text is too long or empty");
  PartTimer timer(seconds);
  Matrix x = embed(ids, 1, count, context->length_);
  Matrix y(x.rows(), x.cols());
  timer.ended(kEmbedding);
  for (size_t layer = 0; layer < shape_.layers; ++layer) {
    add_attention(attention_[layer], layer, context, &x);
    timer.ended(kAttention);
    feed_forward_[layer]->forward(x, &y);
    x.swap(y);
    timer.ended(kFeedForward);
  }
  context->length_ += count;
  const Row out = project(x.bottomRows(1)).row(0);
  timer.ended(kLogits);
  return out;
}

}  // namespace byte_lm
