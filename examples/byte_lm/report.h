// What the program found, as tables for a reader or as JSON for a program.
#ifndef BYTE_LM_REPORT_H
#define BYTE_LM_REPORT_H

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "evaluation.h"
#include "lookupffn/lookupffn.hpp"

namespace byte_lm {

struct ModelReport {
  std::string name;  // "LookupFFN", "dense"
  double expected_loss;
  double tolerance;  // on the loss
  Evaluation evaluation;

  double loss_difference() const { return evaluation.loss - expected_loss; }
  bool as_expected() const;
};

struct TypeLoss {
  lookupffn_type table_type, projection_type;
  double loss;
  double change;  // against f32 tables with an f32 projection
};

struct Report {
  bool quick;
  size_t tokens, batches, threads;
  std::vector<lookupffn::LayerInfo> layers;
  std::vector<ModelReport> models;
  std::vector<TypeLoss> types;  // empty unless asked for
  std::optional<std::string> prompt, continuation;

  bool as_expected() const;
};

void print_tables(const Report& report, std::ostream* out);
void print_json(const Report& report, std::ostream* out);

}  // namespace byte_lm
#endif
