// A LookupFFN layer for those who check and measure: lookupffn_formulas.h behind the interface of all families.
#include "lookupffn_twin.h"

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

#include "bf16_projection.h"
#include "lookupffn_layer.h"
#include "lookupffn_tolerance.h"
#include "lookupffn_training_twin.h"
#include "lookupffn_verdict.h"
#include "lookupffn_verify.h"
#include "plain_layer.h"
#include "reference/random_numbers.h"
#include "reference/reference_family.h"

namespace lookupffn::reference {
namespace {

class LookupffnTwin final : public Twin {
 public:
  LookupffnTwin(Layer layer, lookupffn_type table_type, lookupffn_type projection_type)
      : layer_(std::move(layer)), table_type_(table_type), projection_type_(projection_type) {}

  Input random_input(Stage stage, size_t tokens, uint64_t seed) const override {
    Input input;
    input.tokens = tokens;
    if (stage != Stage::kGather) {
      input.x = random_tokens(tokens, layer_.shape.d_in, seed);
      return input;
    }
    std::mt19937_64 random(seed);
    for (size_t i = 0; i < tokens * layer_.shape.tables; ++i) {
      const uint64_t bits = random();
      input.code.push_back(int32_t((bits >> 32) % layer_.shape.rows));
      input.score.push_back(0.25f + float(bits & 0xffff) / 65536.0f);
    }
    return input;
  }

  Verdict judge(Stage stage, const Input& input, const Results& given) const override {
    if (stage == Stage::kGather) return judge_gather(input, given);
    Result expected = forward(layer_, input.x, projection_type_);
    if (!layer_.rules.projection) expected.z.clear();  // exact: no code is too near to zero to tell
    return reference::judge(layer_, input.x, expected, given, table_type_, projection_type_);
  }

 private:
  Verdict judge_gather(const Input& input, const Results& given) const {
    const std::vector<double> score(input.score.begin(), input.score.end());
    const std::vector<double> expected = gather(layer_, input.code, score);
    Verdict verdict;
    verdict.tokens = input.tokens;
    verdict.values = expected.size();
    verdict.y_of_tolerance = worst_y(layer_, input.code, score, expected, given.y, table_type_);
    return verdict;
  }

  const Layer layer_;
  const lookupffn_type table_type_, projection_type_;
};

std::vector<uint8_t> random_model(const lookupffn_shape& shape, uint64_t seed) {
  const lookupffn_shape own = shape.projection == LOOKUPFFN_BH4
                                  ? bh4_shape(shape.d_in, shape.d_out, shape.tables, shape.bits, shape.block)
                                  : dense_shape(shape.d_in, shape.d_out, shape.tables, shape.bits);
  return model_bytes(random_layer(own, seed), "", ElementType::kF32);
}

}  // namespace

std::unique_ptr<Twin> packed_twin(const ModelLayer& source, lookupffn_type table_type, lookupffn_type projection_type) {
  return std::make_unique<LookupffnTwin>(layer_from(weights_of(source)), table_type, projection_type);
}

Stage packed_stage(const std::string& kernel) { return kernel == "gather" ? Stage::kGather : Stage::kHash; }

static Stage stage_of(const std::string& kernel) {
  return kernel == "hash" || kernel == "gather" ? packed_stage(kernel) : Stage::kTraining;
}

extern const ReferenceFamily lookupffn_reference_family;
const ReferenceFamily lookupffn_reference_family = {"lookupffn",  packed_twin, lookupffn_expects,      verify_lookupffn,
                                                    random_model, stage_of,    lookupffn_training_twin};

}  // namespace lookupffn::reference
