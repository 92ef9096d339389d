#include "evaluation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace byte_lm {
namespace {

using Eigen::Index;

Batch read_batch(const TensorFile& file, const std::string& path, const std::string& number) {
  const std::vector<size_t> shape = file.shape("ids" + number);
  if (shape.size() != 2 || shape[0] == 0 || shape[1] == 0 || shape[0] > 1'000'000 || shape[1] > 1'000'000) {
    throw std::runtime_error(path + ": tensor 'ids" + number + "' is not [sequences, length]");
  }
  Batch batch{file.ints("ids" + number, shape), file.ints("labels" + number, shape), shape[0], shape[1]};
  for (const auto* bytes : {&batch.ids, &batch.labels}) {
    for (const int32_t byte : *bytes) {
      if (byte < 0 || byte >= static_cast<int32_t>(kVocabulary)) {
        throw std::runtime_error(path + ": batch " + number + " holds " + std::to_string(byte) + ", which is not a byte");
      }
    }
  }
  return batch;
}

// Sum of the labels' negative log likelihoods.
double total_loss(const Matrix& logits, const std::vector<int32_t>& labels) {
  double total = 0;
  for (Index n = 0; n < logits.rows(); ++n) {
    const auto row = logits.row(n).cast<double>().array();
    const double most = row.maxCoeff();
    total += most + std::log((row - most).exp().sum()) - row(labels[static_cast<size_t>(n)]);
  }
  return total;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

size_t EvaluationText::tokens() const {
  size_t tokens = 0;
  for (const Batch& batch : batches) tokens += batch.tokens();
  return tokens;
}

EvaluationText read_evaluation(const std::string& path, bool quick) {
  const TensorFile file(path);
  EvaluationText text;
  for (size_t i = 0; file.has("ids" + std::to_string(i)); ++i) {
    text.batches.push_back(read_batch(file, path, std::to_string(i)));
  }
  if (text.batches.empty()) throw std::runtime_error(path + ": has no tensor 'ids0'");

  Batch& first = text.batches[0];
  const std::vector<size_t> shape = file.shape("logits0");
  if (shape.size() != 3 || shape[0] == 0 || shape[0] > first.sequences) {
    throw std::runtime_error(path + ": tensor 'logits0' is not for sequences of 'ids0'");
  }
  const std::vector<float> logits = file.floats("logits0", {shape[0], first.length, kVocabulary});
  text.expected_logits =
      Eigen::Map<const Matrix>(logits.data(), static_cast<Index>(shape[0] * first.length), static_cast<Index>(kVocabulary));
  text.expected_loss = file.number("val_nll");
  if (quick) {
    text.batches.resize(1);
    first.sequences = shape[0];
    first.ids.resize(first.tokens());
    first.labels.resize(first.tokens());
    text.expected_loss = total_loss(text.expected_logits, first.labels) / static_cast<double>(first.tokens());
  }
  return text;
}

std::vector<Evaluation> evaluate(const std::vector<Contender>& contenders, size_t rounds) {
  std::vector<Evaluation> evaluations(contenders.size());
  std::vector<std::vector<double>> speeds(contenders.size());
  for (const Contender& contender : contenders) {
    const Batch& batch = contender.text->batches[0];
    PartSeconds untimed{};
    contender.model->logits(batch.ids.data(), batch.sequences, batch.length, &untimed);
  }

  size_t most_batches = 0;
  for (const Contender& contender : contenders) {
    most_batches = std::max(most_batches, contender.text->batches.size());
  }
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t b = 0; b < most_batches; ++b) {
      for (size_t c = 0; c < contenders.size(); ++c) {
        const EvaluationText& text = *contenders[c].text;
        if (b >= text.batches.size()) continue;
        const Batch& batch = text.batches[b];
        PartSeconds seconds{};
        const Matrix logits = contenders[c].model->logits(batch.ids.data(), batch.sequences, batch.length, &seconds);
        speeds[c].push_back(static_cast<double>(batch.tokens()) / std::accumulate(seconds.begin(), seconds.end(), 0.0));
        Evaluation& evaluation = evaluations[c];
        evaluation.timed_tokens += batch.tokens();
        for (size_t part = 0; part < kParts; ++part) evaluation.part_seconds[part] += seconds[part];
        if (round > 0) continue;
        evaluation.loss += total_loss(logits, batch.labels) / static_cast<double>(text.tokens());
        if (b == 0) {
          // NaN would not survive a maximum, so it is looked for.
          const auto difference = (logits.topRows(text.expected_logits.rows()) - text.expected_logits).array().abs();
          evaluation.largest_logit_difference = difference.isFinite().all() ? difference.maxCoeff() : INFINITY;
        }
      }
    }
  }
  for (size_t c = 0; c < contenders.size(); ++c) evaluations[c].tokens_per_second = median(speeds[c]);
  return evaluations;
}

double loss(const Contender& contender) {
  double total = 0;
  for (const Batch& batch : contender.text->batches) {
    PartSeconds untimed{};
    total += total_loss(contender.model->logits(batch.ids.data(), batch.sequences, batch.length, &untimed), batch.labels);
  }
  return total / static_cast<double>(contender.text->tokens());
}

}  // namespace byte_lm
