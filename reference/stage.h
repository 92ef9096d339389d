// The calls of the C API that run a layer, or a part of it, over inputs of any family.
#ifndef LOOKUPFFN_REFERENCE_STAGE_H
#define LOOKUPFFN_REFERENCE_STAGE_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lookupffn/lookupffn.h"
#include "reference/verdict.h"

namespace lookupffn::reference {

enum class Stage {
  kForward,     // x -> y
  kForwardIds,  // bags of ids -> y
  kHash,        // x -> code, score
  kGather,      // code, score -> y
  kTraining,    // a training step: see reference/training_twin.h
};

// What a layer is fed; which of it depends on the stage. Bags of ids are as lookupffn_forward_ids takes them.
struct Input {
  size_t tokens = 0;     // or bags
  std::vector<float> x;  // [tokens, d_in]
  std::vector<int64_t> ids;
  std::vector<int64_t> offsets;  // [tokens]
  std::vector<float> weights;    // one an id, or empty
  bool mean = false;
  std::vector<int32_t> code;  // [tokens, lookups]
  std::vector<float> score;   // [tokens, lookups]
};

// The first `tokens` of an input.
Input first_of(const Input& input, const lookupffn_shape& shape, size_t tokens);

// Makes room for what a stage gives for so many tokens; what it does not give is empty.
Results room_for(Stage stage, const lookupffn_shape& shape, size_t tokens);

// Runs tokens first..first+tokens-1 of the input. code, score, y: of these tokens, contiguous; what the stage does not give is
// not looked at.
lookupffn_status run_stage(Stage stage, const lookupffn_layer* layer, lookupffn_threads* threads, const Input& input,
                           size_t first, size_t tokens, int32_t* code, float* score, float* y);

// The whole input. Throws std::runtime_error where the call fails.
Results run_stage(Stage stage, const lookupffn_layer& layer, lookupffn_threads& threads, const Input& input);

}  // namespace lookupffn::reference
#endif
