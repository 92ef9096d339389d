// What the page calls: the byte language model with LookupFFN and with dense feed-forward layers, a byte at a time, and the
// rows of the tables that the last byte read. javascript/exports.h says how a call fails.
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exports.h"
#include "feed_forward.h"
#include "generation.h"
#include "lookupffn/lookupffn.hpp"
#include "transformer.h"
#ifdef BYTE_LM_SPECIALISED
#include <byte_lm_kernels.h>
#endif

namespace byte_lm {
namespace {

using lookupffn::javascript::guarded;
using lookupffn::javascript::json_text;
using nlohmann::json;

// A LookupFFN layer that remembers its last token, so that its codes can be asked for outside of the time that is measured.
class RecordedFeedForward : public FeedForward {
 public:
  RecordedFeedForward(const lookupffn::Model& model, const std::string& prefix, const lookupffn::PackOptions& options,
                      const lookupffn::Threads& threads)
      : layer_(model, prefix, options, threads), code_(layer_.info().shape.tables), score_(code_.size()) {}

  void forward(const Matrix& x, Matrix* y) const override {
    layer_.forward(x, y);
    last_ = x.bottomRows(1);
  }

  // The code of each table for the last token. Scores too, in score().
  const std::vector<int32_t>& code() {
    layer_.layer().hash(nullptr, last_.data(), last_.cols(), code_.data(), score_.data(), 1);
    return code_;
  }
  const std::vector<float>& score() const { return score_; }
  lookupffn::LayerInfo info() const { return layer_.info(); }

 private:
  LookupFeedForward layer_;
  mutable Row last_;
  std::vector<int32_t> code_;
  std::vector<float> score_;
};

struct ByteModel {
  lookupffn::Threads threads{1};
  ThreadPool pool{1};
  std::vector<RecordedFeedForward*> recorded;  // its LookupFFN layers; none: it is dense
  std::unique_ptr<Transformer> transformer;
  std::unique_ptr<Continuation> text;
  json facts;
  PartSeconds seconds{};
};

// Numbers of one layer's feed-forward part.
json facts_of(const RecordedFeedForward& layer) {
  const lookupffn::LayerInfo info = layer.info();
  const lookupffn_shape& shape = info.shape;
  return {{"tables", shape.tables},
          {"rows", shape.rows},
          {"tableBytes", info.table_bytes},
          {"weightBytes", info.table_bytes + info.projection_bytes},
          // All of the projection, and a row of each table.
          {"readBytes", info.projection_bytes + info.table_bytes / shape.rows},
          {"isa", info.isa},
          {"kernels", info.specialised ? "specialised" : "generic"}};
}

json facts_of(const TensorFile& file, const std::string& prefix) {
  size_t bytes = 0;
  for (const char* name : {"up.weight", "down.weight"}) {
    const std::vector<size_t> shape = file.shape(prefix + name);
    bytes += std::accumulate(shape.begin(), shape.end(), sizeof(float), std::multiplies<>());
  }
  return {{"weightBytes", bytes}, {"readBytes", bytes}};
}

std::unique_ptr<ByteModel> read_model(std::string_view bytes, const lookupffn::PackOptions& options) {
#ifdef BYTE_LM_SPECIALISED
  lookupffn::check(byte_lm_kernels_register());
#endif
  const TensorFile file(bytes, "the model file");
  auto made = std::make_unique<ByteModel>();
  const size_t layers = file.size("layers");
  const bool dense = file.has(Transformer::ffn_prefix(0) + "up.weight");
  std::vector<std::unique_ptr<FeedForward>> feed_forward;
  json parts = json::array();
  if (dense) {
    for (size_t layer = 0; layer < layers; ++layer) {
      const std::string prefix = Transformer::ffn_prefix(layer);
      feed_forward.push_back(std::make_unique<DenseFeedForward>(file, prefix, file.size("d"), &made->pool));
      parts.push_back(facts_of(file, prefix));
    }
  } else {
    const lookupffn::Model model(bytes.data(), bytes.size());
    for (size_t layer = 0; layer < layers; ++layer) {
      auto part = std::make_unique<RecordedFeedForward>(model, Transformer::ffn_prefix(layer), options, made->threads);
      parts.push_back(facts_of(*part));
      made->recorded.push_back(part.get());
      feed_forward.push_back(std::move(part));
    }
  }
  made->transformer = std::make_unique<Transformer>(file, std::move(feed_forward), &made->pool);
  const TransformerShape& shape = made->transformer->shape();
  json names = json::array();
  for (const char* name : kPartNames) names.push_back(name);
  made->facts = {{"dense", dense}, {"width", shape.width}, {"heads", shape.heads}, {"maxLength", shape.max_length},
                 {"parts", names}, {"layers", parts}};
  return made;
}

}  // namespace

// A model file's bytes, which may go afterwards. Types are for LookupFFN's weights.
LOOKUPFFN_EXPORTED(open_byte_model)
ByteModel* open_byte_model(const char* bytes, size_t size, const char* table_type, const char* projection_type) {
  return guarded<ByteModel*>(nullptr, [&] {
    lookupffn::PackOptions options{};
    options.table_type = lookupffn::javascript::type_named(table_type);
    options.projection_type = lookupffn::javascript::type_named(projection_type);
    return read_model({bytes, size}, options).release();
  });
}
LOOKUPFFN_EXPORTED(close_byte_model) void close_byte_model(ByteModel* model) { delete model; }

LOOKUPFFN_EXPORTED(describe_byte_model) const char* describe_byte_model(const ByteModel* model) {
  return guarded<const char*>(nullptr, [&] { return json_text(model->facts); });
}

// Begins a text with the prompt, `size` bytes, and sets all times to 0. 0, or -1.
LOOKUPFFN_EXPORTED(start) int start(ByteModel* model, const char* prompt, size_t size, double temperature, uint32_t seed) {
  return guarded(-1, [&] {
    GenerationOptions options;
    options.temperature = temperature;
    options.seed = seed;
    model->text = std::make_unique<Continuation>(*model->transformer, std::string(prompt, size), options);
    model->seconds = {};
    return 0;
  });
}

// The next byte of the text, 0 to 255; -1: a failure.
LOOKUPFFN_EXPORTED(next_byte) int next_byte(ByteModel* model) {
  return guarded(-1, [&] { return int(model->text->next(&model->seconds)); });
}

// Seconds that the model has taken since start(), one for each of the parts.
LOOKUPFFN_EXPORTED(part_seconds) const double* part_seconds(const ByteModel* model) { return model->seconds.data(); }

// The rows that the last byte read in a layer, one for each table: NULL is a failure. Their scores are row_scores(), after it.
LOOKUPFFN_EXPORTED(rows_read) const int32_t* rows_read(ByteModel* model, size_t layer) {
  return guarded<const int32_t*>(nullptr, [&] { return model->recorded.at(layer)->code().data(); });
}
LOOKUPFFN_EXPORTED(row_scores) const float* row_scores(ByteModel* model, size_t layer) {
  return guarded<const float*>(nullptr, [&] { return model->recorded.at(layer)->score().data(); });
}

}  // namespace byte_lm
