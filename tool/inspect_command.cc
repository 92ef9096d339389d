#include "inspect_command.h"

#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "kernel_choice.h"
#include "json_fields.h"
#include "layer_options.h"
#include "model.h"
#include "lookupffn/lookupffn.hpp"
#include "safetensors.h"

namespace lookupffn {
namespace {

// What one token costs: products counted by the formula, padding excluded; a multiply-add is two flops.
struct TokenCost {
  double hash_flops, gather_flops, table_bytes, projection_bytes;
  double dense_flops, dense_bytes;  // of the dense FFN of the same width, d_in -> 4 d_in -> d_out, in f32

  TokenCost(const Shape& shape, size_t table_element) {
    const double d_in = double(shape.d_in), d_out = double(shape.d_out), tables = double(shape.tables);
    const double outputs = tables * double(shape.bits);
    if (shape.projection == LOOKUPFFN_BH4) {
      double p = 1, levels = 0;
      while (p < d_in) p *= 2, ++levels;
      // A stage: p inputs to a block each, and the Hadamard transform's additions.
      hash_flops = double(shape.repeats) * 4 * (2 * p * double(shape.block) + p * levels);
      projection_bytes = double(shape.repeats) * 4 * p * double(shape.block) * 4;
    } else {
      hash_flops = 2 * outputs * d_in;
      projection_bytes = outputs * d_in * 4;
    }
    gather_flops = 2 * tables * d_out;
    table_bytes = tables * (d_out * double(table_element) + (table_element == 1 ? 4 : 0));
    dense_flops = 2 * (d_in * 4 * d_in + 4 * d_in * d_out);
    dense_bytes = (d_in * 4 * d_in + 4 * d_in * d_out) * 4;
  }
};

struct Options {
  std::string model;
  bool json = false, packed = false;
  LayerOptions layer;
};

// "VmHWM" and the like of this process, in bytes; 0 where the system does not say.
double process_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string name;
  for (std::string line; std::getline(status, line);) {
    if (line.compare(0, field.size() + 1, field + ":") == 0) return std::stod(line.substr(field.size() + 1)) * 1024;
  }
  return 0;
}

std::string megabytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, bytes < 1e5 ? "%.1f KB" : "%.2f MB", bytes < 1e5 ? bytes / 1e3 : bytes / 1e6);
  return text;
}

nlohmann::json describe_layer(const Shape& shape, size_t table_element) {
  const TokenCost cost(shape, table_element);
  nlohmann::json layer = {{"prefix", shape.prefix},
                          {"projection", shape.projection == LOOKUPFFN_BH4 ? "bh4" : "dense"},
                          {"d_in", shape.d_in}, {"d_out", shape.d_out}, {"tables", shape.tables}, {"bits", shape.bits},
                          {"rows", shape.rows}, {"block", shape.block}, {"repeats", shape.repeats},
                          {"decay", shape.decay}, {"layer_norm_eps", shape.layer_norm_eps},
                          {"table_bytes", double(shape.tables) * double(shape.rows) * double(shape.d_out) * double(table_element)},
                          {"projection_bytes", cost.projection_bytes},
                          {"per_token", {{"hash_flops", cost.hash_flops}, {"gather_flops", cost.gather_flops},
                                         {"flops", cost.hash_flops + cost.gather_flops}, {"table_bytes", cost.table_bytes}}},
                          {"dense_ffn", {{"d_hidden", 4 * shape.d_in}, {"flops", cost.dense_flops}, {"weight_bytes", cost.dense_bytes}}},
                          {"flops_of_dense", (cost.hash_flops + cost.gather_flops) / cost.dense_flops}};
  return layer;
}

nlohmann::json describe_packed(const Layer& layer) {
  const LayerInfo info = layer.info();
  return {{"isa", info.isa}, {"specialised", info.specialised != 0}, {"fallback", info.fallback}, {"kernels", info.kernels},
          {"table_type", type_name(info.table_type)}, {"projection_type", type_name(info.projection_type)},
          {"table_bytes", info.table_bytes}, {"projection_bytes", info.projection_bytes},
          {"packed_bytes", info.packed_bytes}, {"huge_page_bytes", info.huge_page_bytes}, {"pack_seconds", info.pack_seconds},
          {"process_resident_bytes", process_bytes("VmRSS")}};
}

void print_layer(const nlohmann::json& layer) {
  const auto number = [](const nlohmann::json& value) { return value.get<double>(); };
  std::printf("layer %s\n", quote_name(layer["prefix"].get<std::string>()).c_str());
  std::printf("  %s projection, d_in %zu, d_out %zu, %zu tables of %zu rows (%zu bits)", layer["projection"].get<std::string>().c_str(),
              layer["d_in"].get<size_t>(), layer["d_out"].get<size_t>(), layer["tables"].get<size_t>(),
              layer["rows"].get<size_t>(), layer["bits"].get<size_t>());
  if (layer["projection"] == "bh4") {
    std::printf(", block %zu, %zu repeats, decay %g", layer["block"].get<size_t>(), layer["repeats"].get<size_t>(), number(layer["decay"]));
  }
  std::printf(", LayerNorm eps %g\n", number(layer["layer_norm_eps"]));
  std::printf("  tables %s, projection %s in f32\n", megabytes(number(layer["table_bytes"])).c_str(), megabytes(number(layer["projection_bytes"])).c_str());
  const nlohmann::json& token = layer["per_token"];
  std::printf("  a token: %.3f Mflop (hash %.3f, gather %.3f), reads %s of tables\n", number(token["flops"]) / 1e6,
              number(token["hash_flops"]) / 1e6, number(token["gather_flops"]) / 1e6, megabytes(number(token["table_bytes"])).c_str());
  std::printf("  the dense FFN of this width (%zu hidden): %.3f Mflop a token, %s of weights; LookupFFN does %.1f %% of its flops\n",
              layer["dense_ffn"]["d_hidden"].get<size_t>(), number(layer["dense_ffn"]["flops"]) / 1e6,
              megabytes(number(layer["dense_ffn"]["weight_bytes"])).c_str(), 100 * number(layer["flops_of_dense"]));
  if (!layer.contains("packed")) return;
  const nlohmann::json& packed = layer["packed"];
  std::printf("  packed for %s in %.1f ms: tables %s (%s), projection %s (%s), all %s, of which %s asked for in huge pages\n",
              packed["isa"].get<std::string>().c_str(), 1e3 * number(packed["pack_seconds"]),
              megabytes(number(packed["table_bytes"])).c_str(), packed["table_type"].get<std::string>().c_str(),
              megabytes(number(packed["projection_bytes"])).c_str(), packed["projection_type"].get<std::string>().c_str(),
              megabytes(number(packed["packed_bytes"])).c_str(), megabytes(number(packed["huge_page_bytes"])).c_str());
  std::printf("  kernels: %s\n", packed["kernels"].get<std::string>().c_str());
  std::printf("  process resident: %s\n", megabytes(number(packed["process_resident_bytes"])).c_str());
}

void inspect(const Options& options) {
  const Model model(options.model);
  const size_t element = options.layer.table_type == "f32" ? 4 : options.layer.table_type == "bf16" ? 2 : 1;
  nlohmann::json result = {{"model", options.model}, {"layers", nlohmann::json::array()}};
  // Names that lead nowhere are mistakes, packed or not.
  if (!options.layer.prefix.empty()) find_layer(model.get(), options.layer.prefix.c_str());
  if (!options.layer.library.empty()) load_kernels(options.layer.library);
  for (const Shape& shape : model.layers()) {
    if (!options.layer.prefix.empty() && options.layer.prefix != shape.prefix) continue;
    nlohmann::json layer = describe_layer(shape, element);
    if (options.packed) layer["packed"] = describe_packed(options.layer.pack(model, shape.prefix));
    if (!options.json) print_layer(layer);
    result["layers"].push_back(layer);
  }
  if (options.json) std::printf("%s\n", json_text(result).c_str());
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("inspect", "Show a model's layers: shapes, bytes, what a token costs beside the dense FFN");
  auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "Model file (safetensors)")->required();
  command->add_flag("--packed", options->packed, "Pack each layer too, and tell time, bytes and kernels");
  command->add_flag("--json", options->json, "Print JSON");
  options->layer.add_to(*command);
  command->callback([options] { inspect(*options); });
}

}  // namespace lookupffn
