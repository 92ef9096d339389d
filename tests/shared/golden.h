// The golden cases of tests/data/golden: models with inputs and the results that the training code's
// formulas give in float64.
#ifndef LOOKUPFFN_TESTS_GOLDEN_H
#define LOOKUPFFN_TESTS_GOLDEN_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lookupffn::reference {

// Names of all cases in a folder of NAME.model.safetensors and NAME.io.safetensors, sorted. Throws where
// there are none, so that no test passes by having nothing to do.
std::vector<std::string> golden_names(const std::string& folder);

struct Golden {
  std::string model_path;
  size_t tokens;
  std::vector<float> x;       // [tokens, d_in]
  std::vector<float> z;       // [tokens, tables, bits]
  std::vector<int32_t> code;  // [tokens, tables]
  std::vector<float> score;   // [tokens, tables]
  std::vector<float> y;       // [tokens, d_out]
};

// Throws where the files or a tensor is missing.
Golden read_golden(const std::string& folder, const std::string& name);

}  // namespace lookupffn::reference
#endif
