#include "verify_command.h"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "json_fields.h"
#include "layer_options.h"
#include "lookupffn/lookupffn.hpp"
#include "model.h"
#include "option_checks.h"
#include "reference/reference_family.h"
#include "safetensors.h"

namespace lookupffn {
namespace {

struct Options {
  std::string model, io;
  bool json = false;
  LayerOptions layer;
};

nlohmann::json json_of(const reference::Verdict& verdict) {
  return {
      {"judged", {{"tokens", verdict.tokens}, {"tokens_not_finite", verdict.not_finite_tokens}, {"values", verdict.values}}},
      {"code", {{"compared", verdict.codes}, {"wrong", verdict.wrong_codes}, {"undecided", verdict.undecided_codes}}},
      {"score", {{"largest_error", verdict.score_error}, {"of_tolerance", verdict.score_of_tolerance}}},
      {"y",
       {{"largest_error", verdict.y_error},
        {"of_tolerance", verdict.y_of_tolerance},
        {"finite_where_x_is_not", verdict.finite_y}}}};
}

void print(const char* title, const reference::Verdict& verdict) {
  std::printf("%sjudged: %zu tokens", title, verdict.tokens);
  if (verdict.codes > 0) {
    std::printf(", %zu codes (%zu undecided: |z| near 0), %zu scores", verdict.codes, verdict.undecided_codes, verdict.codes);
  }
  std::printf(", %zu values of y", verdict.values);
  if (verdict.not_finite_tokens > 0) std::printf("; besides, %zu tokens whose x is not finite", verdict.not_finite_tokens);
  if (verdict.codes > 0) {
    std::printf("\ncode   %zu of %zu wrong\n", verdict.wrong_codes, verdict.codes);
    std::printf("score  largest error %.3g, %.1f %% of its tolerance", verdict.score_error, 100 * verdict.score_of_tolerance);
  }
  std::printf("\ny      largest error %.3g, %.1f %% of its tolerance\n", verdict.y_error, 100 * verdict.y_of_tolerance);
  if (verdict.finite_y > 0) std::printf("y      %zu values are finite though their x is not\n", verdict.finite_y);
}

nlohmann::json json_of(const reference::Verification& found, const std::string& prefix, const Layer& layer, size_t threads) {
  const LayerInfo info = layer.info();
  nlohmann::json json = json_of(found.layer);
  json.update({{"prefix", prefix},
               {"tokens", found.layer.tokens + found.layer.not_finite_tokens},
               {"ok", found.passed()},
               {"contradictions", found.contradictions},
               {"isa", info.isa},
               {"specialised", info.specialised != 0},
               {"fallback", info.fallback},
               {"kernels", info.kernels},
               {"table_type", type_name(info.table_type)},
               {"projection_type", type_name(info.projection_type)},
               {"threads", threads}});
  if (found.rounded) {
    json["file"] = json_of(found.file);
    json["codes_changed_by_rounding"] = found.codes_changed_by_rounding;
  }
  return json;
}

void print(const reference::Verification& found, const std::string& prefix, const Layer& layer, size_t threads) {
  std::printf("layer %s, %zu tokens, on %s\n", quote_name(prefix).c_str(), found.layer.tokens + found.layer.not_finite_tokens,
              ran_on(layer, threads).c_str());
  if (found.rounded) {
    print("The layer, against the formulas with rounded weights\n", found.layer);
    print("The file, against the formulas with its weights\n", found.file);
    std::printf("Rounding changes %zu of the file's %zu codes\n", found.codes_changed_by_rounding, found.file.codes);
  } else {
    print("", found.layer);
  }
  if (found.contradictions > 0)
    std::printf("The file contradicts itself: %zu of its codes or scores are not those of its z\n", found.contradictions);
  std::printf("%s\n", found.passed() ? "ok" : "OUT OF TOLERANCE");
}

// The layer that was named; without a name the only one, or all of which the file has expected results.
std::vector<const ModelLayer*> chosen_layers(const Options& options, const lookupffn_model* model, const SafetensorsFile& io) {
  std::vector<const ModelLayer*> layers;
  if (options.layer.prefix.empty() && model->layers.size() > 1) {
    for (const auto& layer : model->layers) {
      if (reference::reference_family(layer->shape().family).expects(io, *layer)) layers.push_back(layer.get());
    }
  }
  if (layers.empty()) layers.push_back(&find_layer(model, options.layer.prefix.c_str()));
  return layers;
}

void verify(const Options& options) {
  const Model model(options.model);
  const SafetensorsFile io(options.io.empty() ? options.model : options.io);
  const std::vector<const ModelLayer*> sources = chosen_layers(options, model.get(), io);
  const Threads threads(options.layer.threads);
  nlohmann::json layers = nlohmann::json::array();
  bool passed = true;
  for (const ModelLayer* source : sources) {
    const Layer layer = options.layer.pack(model, source->prefix());
    const std::string family_name = source->shape().family;
    const reference::ReferenceFamily& family = reference::reference_family(family_name);
    const reference::Verification found = family.verify(io, *source, *layer.get(), *threads.get());
    if (!found.layer.judged()) throw std::runtime_error(io.name() + ": nothing can be judged by it");
    passed = passed && found.passed();
    if (options.json) {
      layers.push_back(json_of(found, source->prefix(), layer, threads.count()));
    } else {
      print(found, source->prefix(), layer, threads.count());
    }
  }
  if (options.json) {
    nlohmann::json json = layers.size() == 1 ? layers[0] : nlohmann::json{{"ok", passed}, {"layers", layers}};
    json["model"] = options.model;
    std::printf("%s\n", json_text(json).c_str());
  }
  if (!passed) throw CLI::RuntimeError(1);
}

}  // namespace

void add_verify_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("verify", "Run the inputs of a file through layers and compare with what it expects");
  command->footer(
      "IO holds inputs and expected results as the training code computes them. It may be left out: then MODEL holds them "
      "too.\n"
      "Of a LookupFFN layer they are x [tokens, d_in], code and score [tokens, tables], y [tokens, d_out] and, if it likes,\n"
      "z [tokens, tables, bits], with the layer's prefix where a file is of several layers; docs/families.md has those of "
      "other\n"
      "families. Codes must agree wherever |z| > 2e-5, score and y within 1e-4 of the row's rms plus 1e-6; with a smaller\n"
      "table type y may differ by what rounding the rows costs besides. A layer with bf16 projection weights is compared with "
      "the\n"
      "formulas and the rounded weights, and the file with the formulas. Where x is not finite, y must not be. Without\n"
      "--prefix, all layers are verified of which the file has expected results. Exit status 0: something was judged of each,\n"
      "and all of it is within.");
  auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "Model file (safetensors)")->required();
  command->add_option("io", options->io, "File with inputs and expected results (safetensors); default: the model file")
      ->check(not_empty());
  command->add_flag("--json", options->json, "Print JSON");
  options->layer.add_to(*command);
  command->callback([options] { verify(*options); });
}

}  // namespace lookupffn
