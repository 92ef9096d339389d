// Continues a text, byte by byte.
#ifndef BYTE_LM_GENERATION_H
#define BYTE_LM_GENERATION_H

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "transformer.h"

namespace byte_lm {

struct GenerationOptions {
  size_t length = 200;       // bytes to add
  double temperature = 0.7;  // 0: always the likeliest byte
  uint64_t seed = 1;
};

// A text that goes on for as long as it is asked to. The model sees at least the last max_length / 2 bytes: when its context is
// full, it starts again with the later half.
class Continuation {
 public:
  // Of `prompt`, a new line where that is empty. The model must outlive it. `options.length` does not count here.
  Continuation(const Transformer& model, const std::string& prompt, const GenerationOptions& options);

  // The next byte. Adds the time that it took to *seconds.
  uint8_t next(PartSeconds* seconds);

 private:
  const Transformer& model_;
  const double temperature_;
  std::mt19937_64 random_;
  std::vector<int32_t> bytes_;  // the text
  size_t unseen_;               // bytes at its end that are not in context_
  Transformer::Context context_;
};

// What follows the prompt: options.length bytes of a Continuation.
std::string continue_text(const Transformer& model, const std::string& prompt, const GenerationOptions& options);

}  // namespace byte_lm
#endif
