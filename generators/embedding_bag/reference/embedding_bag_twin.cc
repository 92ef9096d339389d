// An embedding bag for those who check and measure.
#include <memory>
#include <random>
#include <vector>

#include "bag_work.h"
#include "embedding_bag_formulas.h"
#include "embedding_bag_layer.h"
#include "embedding_bag_verify.h"
#include "reference/reference_family.h"
#include "safetensors_writer.h"

namespace lookupffn::reference {
namespace {

class EmbeddingBagTwin final : public Twin {
 public:
  EmbeddingBagTwin(const BagWeights& weights, lookupffn_type table_type) : weights_(weights), table_type_(table_type) {}

  // In turn sums, sums with weights and means. A bag has from none to twice kIdsOfBag ids, kIdsOfBag in the mean.
  Input random_input(Stage, size_t tokens, uint64_t seed) const override {
    std::mt19937_64 random(seed);
    Input input;
    input.tokens = tokens;
    input.mean = seed % 3 == 2;
    for (size_t b = 0; b < tokens; ++b) {
      input.offsets.push_back(int64_t(input.ids.size()));
      const size_t end = input.ids.size() + random() % (2 * kIdsOfBag + 1);
      while (input.ids.size() < end) {
        input.ids.push_back(int64_t(random() % weights_.shape.rows));
        if (seed % 3 == 1) input.weights.push_back(float(random() % 65536) / 32768 - 1);
      }
    }
    return input;
  }

  Verdict judge(Stage, const Input& input, const Results& given) const override {
    return judge_bags(expected_bags(weights_, input, table_type_), given.y, weights_.shape.d_out);
  }

 private:
  const BagWeights& weights_;
  const lookupffn_type table_type_;
};

std::unique_ptr<Twin> twin_of(const ModelLayer& source, lookupffn_type table_type, lookupffn_type) {
  return std::make_unique<EmbeddingBagTwin>(bag_weights_of(source), table_type);
}

std::vector<uint8_t> random_model(const lookupffn_shape& shape, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> table(shape.rows * shape.d_out);
  for (float& value : table) value = float(int32_t(random() >> 32)) * 0x1p-31f;
  return safetensors_bytes({{"embedding_bag.weight", ElementType::kF32, {shape.rows, shape.d_out}, table.data()}});
}

Stage stage_of(const std::string&) { return Stage::kForwardIds; }

}  // namespace

extern const ReferenceFamily embedding_bag_reference_family;
const ReferenceFamily embedding_bag_reference_family = {"embedding_bag",      twin_of,      embedding_bag_expects,
                                                        verify_embedding_bag, random_model, stage_of};

}  // namespace lookupffn::reference
