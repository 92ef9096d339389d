// Continues a text, byte by byte.
#ifndef BYTE_LM_GENERATION_H
#define BYTE_LM_GENERATION_H

#include <cstddef>
#include <cstdint>
#include <string>

#include "transformer.h"

namespace byte_lm {

struct GenerationOptions {
  size_t length = 200;       // bytes to add
  double temperature = 0.7;  // 0: always the likeliest byte
  uint64_t seed = 1;
};

// What follows `prompt` (a new line where that is empty). The model sees the last max_length bytes at
// each step.
std::string continue_text(const Transformer& model, const std::string& prompt, const GenerationOptions& options);

}  // namespace byte_lm
#endif
