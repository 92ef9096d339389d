// How well and how fast models predict the evaluation text.
#ifndef BYTE_LM_EVALUATION_H
#define BYTE_LM_EVALUATION_H

#include <cstdint>
#include <string>
#include <vector>

#include "transformer.h"

namespace byte_lm {

struct Batch {
  std::vector<int32_t> ids, labels;  // [sequences, length], values 0..255
  size_t sequences, length;
  size_t tokens() const { return sequences * length; }
};

struct EvaluationText {
  std::vector<Batch> batches;
  double expected_loss;    // mean negative log likelihood of all labels, nats a byte
  Matrix expected_logits;  // for the first rows of batch 0, [tokens, 256]

  size_t tokens() const;
};

// Reads the text and what a model is expected to make of it. With `quick` it is only the sequences that
// the file holds logits for, and the expected loss is the loss of those logits. Throws std::runtime_error.
EvaluationText read_evaluation(const std::string& path, bool quick);

struct Evaluation {
  double loss;
  double largest_logit_difference;
  double tokens_per_second;  // the median over batches and rounds
  PartSeconds part_seconds;  // summed over batches and rounds
  size_t timed_tokens;       // what part_seconds is for
};

struct Contender {
  const Transformer* model;
  const EvaluationText* text;
};

// Runs every contender over its text `rounds` times, all of them in turn batch by batch so that a
// change of the machine's speed meets all alike, after one batch that is not timed.
std::vector<Evaluation> evaluate(const std::vector<Contender>& contenders, size_t rounds);

// The loss alone.
double loss(const Contender& contender);

}  // namespace byte_lm
#endif
