#include "verify_command.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "json_fields.h"
#include "kernel_choice.h"
#include "layer_options.h"
#include "lookupffn_layer.h"
#include "model.h"
#include "lookupffn/lookupffn.hpp"
#include "reference/bf16_projection.h"
#include "reference/layer.h"
#include "reference/reference.h"
#include "reference/tolerance.h"
#include "reference/verdict.h"
#include "safetensors.h"
#include "token_rows.h"

namespace lookupffn {
namespace {

struct Options {
  std::string model, io;
  bool json = false;
  LayerOptions layer;
};

// What the io file holds: inputs, and what the training code made of them.
struct Expected {
  size_t tokens = 0;
  std::vector<float> x;
  reference::Result result;  // z may be empty
  reference::Results given;  // the same, as results to be judged themselves
};

std::string at(size_t n) { return " in row " + std::to_string(n); }

template <class Value>
bool finite_row(const std::vector<Value>& rows, size_t width, size_t n) {
  return std::all_of(rows.begin() + ptrdiff_t(n * width), rows.begin() + ptrdiff_t((n + 1) * width),
                     [](Value value) { return std::isfinite(value); });
}

Expected read_expected(const SafetensorsFile& io, const lookupffn_shape& shape) {
  const size_t tables = shape.tables, d_out = shape.d_out;
  Expected expected;
  expected.given.code = int_rows(io, "code", kAnyTokens, tables);
  for (size_t k = 0; k < expected.given.code.size(); ++k) {
    const int32_t value = expected.given.code[k];
    if (value < 0 || size_t(value) >= shape.rows) {
      throw std::runtime_error(io.name() + ": tensor 'code' holds " + std::to_string(value) + at(k / tables) + "; rows are 0 to " +
                               std::to_string(shape.rows - 1));
    }
  }
  expected.x = float_rows(io, "x", kAnyTokens, shape.d_in);
  const size_t tokens = expected.tokens = expected.x.size() / shape.d_in;
  if (tokens == 0) throw std::runtime_error(io.name() + ": holds no tokens, so there is nothing to judge");
  int_rows(io, "code", tokens, tables);  // as many as x
  expected.given.score = float_rows(io, "score", tokens, tables);
  expected.given.y = float_rows(io, "y", tokens, d_out);
  std::vector<float> z;
  if (const TensorView* tensor = io.find("z")) {
    z.resize(tensor->elements());
    if (z.size() != tokens * tables * shape.bits) {
      throw std::runtime_error(io.name() + ": tensor 'z' does not have tokens * tables * bits values");
    }
    read_floats(*tensor, 0, z.size(), z.data());
  }
  // What is not finite would make any result right.
  const auto check_finite = [&](const char* name, const std::vector<float>& rows, size_t width) {
    for (size_t n = 0; n < tokens && !rows.empty(); ++n) {
      if (!finite_row(rows, width, n) && finite_row(expected.x, shape.d_in, n)) {
        throw std::runtime_error(io.name() + ": tensor '" + name + "' holds a value that is not finite" + at(n) +
                                 ", where x is finite: nothing can be judged by it");
      }
    }
  };
  check_finite("z", z, tables * shape.bits);
  check_finite("score", expected.given.score, tables);
  check_finite("y", expected.given.y, d_out);
  expected.result.code = expected.given.code;
  expected.result.z.assign(z.begin(), z.end());
  expected.result.score.assign(expected.given.score.begin(), expected.given.score.end());
  expected.result.y.assign(expected.given.y.begin(), expected.given.y.end());
  return expected;
}

// How many codes and scores of the file its own z does not give: such a z cannot excuse a code that differs.
size_t contradictions(const reference::Layer& layer, const Expected& expected) {
  if (expected.result.z.empty()) return 0;
  const size_t tables = layer.shape.tables, bits = layer.shape.bits;
  const reference::Hash of_z = reference::code_and_score(layer, expected.result.z);
  size_t count = 0;
  for (size_t n = 0; n < expected.tokens; ++n) {
    if (!finite_row(expected.x, layer.shape.d_in, n)) continue;
    const double tolerance = reference::row_tolerance(&of_z.score[n * tables], tables);
    for (size_t k = n * tables; k < (n + 1) * tables; ++k) {
      const bool score_fits = std::abs(expected.result.score[k] - of_z.score[k]) <= tolerance;
      if (!score_fits || !reference::code_allowed(&expected.result.z[k * bits], bits, expected.result.code[k])) ++count;
    }
  }
  return count;
}

struct Comparison {
  reference::Verdict layer;  // what the layer gave
  // bf16 projections: the layer is compared with the formulas and rounded weights, the file with the formulas and its own.
  bool rounded = false;
  reference::Verdict file;
  size_t rounding_changes = 0;  // codes
  size_t contradictions = 0;

  bool passed() const { return layer.passed() && (!rounded || file.passed()) && contradictions == 0; }
};

Comparison compare(const reference::Layer& weights, const Layer& layer, const Threads& threads, const Expected& expected) {
  const LayerInfo info = layer.info();
  const size_t tokens = expected.tokens;
  reference::Results given;
  given.code.resize(tokens * weights.shape.tables);
  given.score.resize(given.code.size());
  given.y.resize(tokens * weights.shape.d_out);
  layer.hash(&threads, expected.x.data(), ptrdiff_t(weights.shape.d_in), given.code.data(), given.score.data(), tokens);
  layer.forward(threads, expected.x.data(), given.y.data(), tokens);

  Comparison comparison;
  comparison.contradictions = contradictions(weights, expected);
  comparison.rounded = info.projection_type == LOOKUPFFN_BF16;
  if (!comparison.rounded) {
    comparison.layer = reference::judge(weights, expected.x, expected.result, given, info.table_type, info.projection_type);
    return comparison;
  }
  const reference::Result exact = reference::forward(weights, expected.x);
  const reference::Result rounded = reference::forward(weights, expected.x, LOOKUPFFN_BF16);
  comparison.layer = reference::judge(weights, expected.x, rounded, given, info.table_type, LOOKUPFFN_BF16);
  comparison.file = reference::judge(weights, expected.x, exact, expected.given, LOOKUPFFN_F32, LOOKUPFFN_F32);
  for (size_t k = 0; k < rounded.code.size(); ++k) {
    const bool finite = finite_row(expected.x, weights.shape.d_in, k / weights.shape.tables);
    comparison.rounding_changes += finite && rounded.code[k] != expected.result.code[k];
  }
  return comparison;
}

nlohmann::json json_of(const reference::Verdict& verdict) {
  return {{"judged", {{"tokens", verdict.tokens}, {"tokens_not_finite", verdict.not_finite_tokens}, {"values", verdict.values}}},
          {"code", {{"compared", verdict.codes}, {"wrong", verdict.wrong_codes}, {"undecided", verdict.undecided_codes}}},
          {"score", {{"largest_error", verdict.score_error}, {"of_tolerance", verdict.score_of_tolerance}}},
          {"y", {{"largest_error", verdict.y_error}, {"of_tolerance", verdict.y_of_tolerance}, {"finite_where_x_is_not", verdict.finite_y}}}};
}

void print(const char* title, const reference::Verdict& verdict) {
  std::printf("%sjudged: %zu tokens, %zu codes (%zu undecided: |z| near 0), %zu scores, %zu values of y", title, verdict.tokens,
              verdict.codes, verdict.undecided_codes, verdict.codes, verdict.values);
  if (verdict.not_finite_tokens > 0) std::printf("; besides, %zu tokens whose x is not finite", verdict.not_finite_tokens);
  std::printf("\ncode   %zu of %zu wrong\n", verdict.wrong_codes, verdict.codes);
  std::printf("score  largest error %.3g, %.1f %% of its tolerance\n", verdict.score_error, 100 * verdict.score_of_tolerance);
  std::printf("y      largest error %.3g, %.1f %% of its tolerance\n", verdict.y_error, 100 * verdict.y_of_tolerance);
  if (verdict.finite_y > 0) std::printf("y      %zu values are finite though their x is not\n", verdict.finite_y);
}

void print(const Options& options, const Comparison& comparison, size_t tokens, const std::string& prefix, const Layer& layer,
           size_t threads) {
  if (options.json) {
    const LayerInfo info = layer.info();
    nlohmann::json json = json_of(comparison.layer);
    json.update({{"model", options.model}, {"prefix", prefix}, {"tokens", tokens}, {"ok", comparison.passed()},
                 {"contradictions", comparison.contradictions}, {"isa", info.isa}, {"specialised", info.specialised != 0},
                 {"fallback", info.fallback}, {"kernels", info.kernels}, {"table_type", type_name(info.table_type)},
                 {"projection_type", type_name(info.projection_type)}, {"threads", threads}});
    if (comparison.rounded) {
      json["file"] = json_of(comparison.file);
      json["codes_changed_by_rounding"] = comparison.rounding_changes;
    }
    std::printf("%s\n", json_text(json).c_str());
    return;
  }
  std::printf("layer %s, %zu tokens, on %s\n", quote_name(prefix).c_str(), tokens, ran_on(layer, threads).c_str());
  if (comparison.rounded) {
    print("The layer, against the formulas with weights rounded to bf16\n", comparison.layer);
    print("The file, against the formulas with its weights\n", comparison.file);
    std::printf("Rounding changes %zu of the file's %zu codes\n", comparison.rounding_changes, comparison.file.codes);
  } else {
    print("", comparison.layer);
  }
  if (comparison.contradictions > 0) std::printf("z      of the file contradicts %zu of its codes or scores\n", comparison.contradictions);
  std::printf("%s\n", comparison.passed() ? "ok" : "OUT OF TOLERANCE");
}

void verify(const Options& options) {
  const Model model(options.model);
  const ModelLayer& source = find_layer(model.get(), options.layer.prefix.c_str());
  const LayerWeights& weights = weights_of(source);
  const std::string& prefix = source.prefix();
  const SafetensorsFile io(options.io);
  const Expected expected = read_expected(io, weights.shape);
  const Layer layer = options.layer.pack(model, prefix);
  const Threads threads(options.layer.threads);
  const Comparison comparison = compare(reference::layer_from(weights), layer, threads, expected);
  if (!comparison.layer.judged()) {
    throw std::runtime_error(io.name() + ": nothing can be judged by it: " +
                             (comparison.layer.tokens == 0 ? "no row of x is finite" : "every z is too near to 0 to tell a code"));
  }
  print(options, comparison, expected.tokens, prefix, layer, threads.count());
  if (!comparison.passed()) throw CLI::RuntimeError(1);
}

}  // namespace

void add_verify_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("verify", "Run x of an io file and compare code, score and y with what it expects");
  command->footer(
      "IO holds x [tokens, d_in], code and score [tokens, tables], y [tokens, d_out] and, if it likes, z [tokens, tables, bits],\n"
      "as the training code computes them. Codes must agree wherever |z| > 2e-5, score and y within 1e-4 of the row's rms\n"
      "plus 1e-6; with tables of a smaller type y may differ by what rounding the rows costs besides. A layer with bf16 projection\n"
      "weights is compared with the formulas and the rounded weights, and the file with the formulas. Where x is not finite,\n"
      "y must not be. Exit status 0: something was judged, and all of it is within.");
  auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "Model file (safetensors)")->required();
  command->add_option("io", options->io, "File with inputs and expected results (safetensors)")->required();
  command->add_flag("--json", options->json, "Print JSON");
  options->layer.add_to(*command);
  command->callback([options] { verify(*options); });
}

}  // namespace lookupffn
