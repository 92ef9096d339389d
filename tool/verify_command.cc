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
#include "layer_weights.h"
#include "lookupffn/lookupffn.hpp"
#include "safetensors.h"
#include "token_rows.h"

namespace lookupffn {
namespace {

// A projection this close to zero may have its bit either way.
constexpr float kUndecided = 2e-5f;

struct Options {
  std::string model, io;
  bool json = false;
  LayerOptions layer;
};

// The largest error, and the largest share of its tolerance that any value takes up.
struct Worst {
  double error = 0, of_tolerance = 0;

  void add(double difference, double tolerance) {
    // A difference that is no number is out of any tolerance.
    error = std::isnan(difference) ? difference : std::max(error, difference);
    of_tolerance = std::max(of_tolerance, difference <= tolerance ? difference / tolerance : std::max(1.000001, difference / tolerance));
    if (std::isnan(difference)) of_tolerance = INFINITY;
  }
};

double rms(const float* row, size_t size) {
  double sum = 0;
  for (size_t k = 0; k < size; ++k) sum += double(row[k]) * row[k];
  return std::sqrt(sum / double(size));
}

// The largest magnitude of each row of each table: what rounding a row to bf16 or i8 can cost.
std::vector<float> largest_of_rows(const LayerWeights& weights) {
  const size_t rows = weights.shape.tables * weights.shape.rows, d_out = weights.shape.d_out;
  std::vector<float> largest(rows), row(d_out);
  for (size_t r = 0; r < rows; ++r) {
    read_floats(weights.tables, r * d_out, d_out, row.data());
    for (float value : row) largest[r] = std::max(largest[r], std::fabs(value));
  }
  return largest;
}

struct Result {
  size_t tokens = 0, codes = 0, wrong_codes = 0, undecided_codes = 0, skipped_tokens = 0;
  Worst score, y;
  bool codes_judged = true;

  bool within() const {
    return (!codes_judged || wrong_codes == 0) && score.of_tolerance <= 1 && y.of_tolerance <= 1;
  }
};

// Tolerances: codes exactly, score and y within 1e-4 of the row's rms plus 1e-6; y by bf16 or i8 tables may
// differ by what rounding the rows can cost besides. bf16 projection weights may flip codes: then codes are
// reported, not judged, and tokens with a flipped code have no expected score or y.
Result compare(const LayerWeights& weights, const Layer& layer, const Threads& threads, const SafetensorsFile& io,
               const LayerOptions& options) {
  const lookupffn_shape& shape = weights.shape;
  const size_t tables = shape.tables, d_out = shape.d_out;
  const std::vector<float> x = float_rows(io, "x", kAnyTokens, shape.d_in);
  Result result;
  const size_t tokens = result.tokens = x.size() / shape.d_in;
  const std::vector<int32_t> code = int_rows(io, "code", tokens, tables);
  const std::vector<float> score = float_rows(io, "score", tokens, tables);
  const std::vector<float> y = float_rows(io, "y", tokens, d_out);
  std::vector<float> z;
  if (const TensorView* tensor = io.find("z")) {
    z.resize(tensor->elements());
    if (z.size() != tokens * tables * shape.bits) {
      throw std::runtime_error(io.name() + ": tensor 'z' does not have tokens * tables * bits values");
    }
    read_floats(*tensor, 0, z.size(), z.data());
  }
  const auto undecided = [&](size_t n, size_t t) {
    if (z.empty()) return false;
    const float* values = &z[(n * tables + t) * shape.bits];
    return std::any_of(values, values + shape.bits, [](float value) { return std::fabs(value) <= kUndecided; });
  };

  std::vector<int32_t> got_code(tokens * tables);
  std::vector<float> got_score(tokens * tables), got_y(tokens * d_out);
  layer.hash(&threads, x.data(), ptrdiff_t(shape.d_in), got_code.data(), got_score.data(), tokens);
  layer.forward(threads, x.data(), got_y.data(), tokens);

  const bool exact_projection = options.projection_type != "bf16";
  result.codes_judged = exact_projection;
  const double share = weight_type_of(options.table_type).rounding;
  const std::vector<float> largest = share > 0 ? largest_of_rows(weights) : std::vector<float>();
  for (size_t n = 0; n < tokens; ++n) {
    bool flipped = false;
    const double score_tolerance = 1e-4 * rms(&score[n * tables], tables) + 1e-6;
    double allowance = 0;
    for (size_t t = 0; t < tables; ++t) {
      const size_t k = n * tables + t;
      ++result.codes;
      if (got_code[k] != code[k]) {
        flipped = true;
        if (undecided(n, t)) {
          ++result.undecided_codes;
        } else {
          ++result.wrong_codes;
        }
      }
      // A rounded projection moves scores too, by what it moves z.
      if (exact_projection) result.score.add(std::fabs(double(got_score[k]) - score[k]), score_tolerance);
      if (share > 0) allowance += std::fabs(score[k]) * share * largest[t * shape.rows + size_t(code[k])];
    }
    if (flipped || !exact_projection) {
      result.skipped_tokens += flipped;
      if (exact_projection) continue;
    }
    const double tolerance = 1e-4 * rms(&y[n * d_out], d_out) + 1e-6 + allowance;
    for (size_t d = 0; d < d_out; ++d) {
      const double difference = std::fabs(double(got_y[n * d_out + d]) - y[n * d_out + d]);
      result.y.add(difference, exact_projection ? tolerance : INFINITY);
    }
  }
  return result;
}

void check_codes_in_range(const SafetensorsFile& io, const lookupffn_shape& shape) {
  const std::vector<int32_t> code = int_rows(io, "code", kAnyTokens, shape.tables);
  for (int32_t value : code) {
    if (value < 0 || size_t(value) >= shape.rows) {
      throw std::runtime_error(io.name() + ": tensor 'code' holds " + std::to_string(value) + "; rows are 0 to " +
                               std::to_string(shape.rows - 1));
    }
  }
}

void print(const Options& options, const Result& result, const std::string& prefix, const Layer& layer, size_t threads) {
  if (options.json) {
    const LayerInfo info = layer.info();
    const nlohmann::json json = {
        {"model", options.model}, {"prefix", prefix}, {"tokens", result.tokens}, {"ok", result.within()},
        {"code", {{"compared", result.codes}, {"wrong", result.wrong_codes}, {"undecided", result.undecided_codes}, {"judged", result.codes_judged}}},
        {"score", {{"largest_error", result.score.error}, {"of_tolerance", result.score.of_tolerance}}},
        {"y", {{"largest_error", result.y.error}, {"of_tolerance", result.y.of_tolerance}}},
        {"isa", info.isa}, {"specialised", info.specialised != 0}, {"fallback", info.fallback}, {"kernels", info.kernels},
        {"table_type", type_name(info.table_type)}, {"projection_type", type_name(info.projection_type)}, {"threads", threads}};
    std::printf("%s\n", json_text(json).c_str());
    return;
  }
  std::printf("layer %s, %zu tokens, on %s\n", quote_name(prefix).c_str(), result.tokens, ran_on(layer, threads).c_str());
  std::printf("code   %zu of %zu differ%s", result.wrong_codes, result.codes, result.codes_judged ? "" : " (not judged: bf16 projection)");
  if (result.undecided_codes > 0) std::printf(", besides %zu where |z| <= %g", result.undecided_codes, double(kUndecided));
  if (result.codes_judged) {
    std::printf("\nscore  largest error %.3g, %.1f %% of its tolerance\n", result.score.error, 100 * result.score.of_tolerance);
    std::printf("y      largest error %.3g, %.1f %% of its tolerance\n", result.y.error, 100 * result.y.of_tolerance);
  } else {
    std::printf("\ny      largest difference from the f32 result %.3g; %zu tokens with a flipped code\n", result.y.error, result.skipped_tokens);
  }
  std::printf("%s\n", result.within() ? "ok" : "OUT OF TOLERANCE");
}

void verify(const Options& options) {
  const Model model(options.model);
  const LayerWeights& weights = find_layer(model.get(), options.layer.prefix.c_str());
  const std::string prefix = weights.shape.prefix;
  const SafetensorsFile io(options.io);
  check_codes_in_range(io, weights.shape);
  const Layer layer = options.layer.pack(model, prefix);
  const Threads threads(options.layer.threads);
  const Result result = compare(weights, layer, threads, io, options.layer);
  print(options, result, prefix, layer, threads.count());
  if (!result.within()) throw CLI::RuntimeError(1);
}

}  // namespace

void add_verify_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("verify", "Run x of an io file and compare code, score and y with what it expects");
  command->footer(
      "IO holds x [tokens, d_in], code and score [tokens, tables], y [tokens, d_out] and, if it likes, z [tokens, tables, bits],\n"
      "as the training code computes them. Codes must agree wherever |z| > 2e-5, score and y within 1e-4 of the row's rms\n"
      "plus 1e-6; with bf16 or i8 tables y may differ by what rounding the rows costs besides. Exit status 0: within.");
  auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "Model file (safetensors)")->required();
  command->add_option("io", options->io, "File with inputs and expected results (safetensors)")->required();
  command->add_flag("--json", options->json, "Print JSON");
  options->layer.add_to(*command);
  command->callback([options] { verify(*options); });
}

}  // namespace lookupffn
