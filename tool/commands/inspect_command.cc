#include "inspect_command.h"

#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "compiler_family.h"
#include "json_fields.h"
#include "layer_options.h"
#include "lookupffn/lookupffn.hpp"
#include "model.h"
#include "shape_fields.h"

namespace lookupffn {
namespace {

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

// What it has of shape, bytes and work; what is 0 or nothing is left out. A token of a layer of ids is one id.
nlohmann::json describe_layer(const Shape& shape, const LayerOptions& options) {
  const LayerWork work = layer_work({LayerShape(shape), options.table_type, options.projection_type});
  const double inputs = work.ids > 0 ? work.ids : 1;  // that it is counted for
  const double flops = (work.addresser.flops + work.retriever.flops) / inputs;
  nlohmann::json layer = {{"prefix", shape.prefix},
                          {"family", shape.family},
                          {"projection", projection_name(shape.projection)},
                          {"table_bytes", work.retriever.footprint_bytes},
                          {"projection_bytes", work.addresser.footprint_bytes},
                          {"per_token",
                           {{"hash_flops", work.addresser.flops / inputs},
                            {"gather_flops", work.retriever.flops / inputs},
                            {"flops", flops},
                            {"table_bytes", work.retriever.row_bytes / inputs}}}};
  for (const ShapeField& field : kShapeFields) {
    if (shape.*field.c_value != 0) layer[field.name] = shape.*field.c_value;
  }
  if (shape.projection == LOOKUPFFN_BH4) layer["decay"] = shape.decay;
  if (shape.layer_norm_eps != 0) layer["layer_norm_eps"] = shape.layer_norm_eps;
  if (shape.d_in != 0) {
    const Work dense = dense_ffn_work(LayerShape(shape), "f32");
    layer["dense_ffn"] = {{"d_hidden", 4 * shape.d_in}, {"flops", dense.flops}, {"weight_bytes", dense.weight_bytes}};
    layer["flops_of_dense"] = flops / dense.flops;
  }
  return layer;
}

nlohmann::json describe_packed(const Layer& layer) {
  const LayerInfo info = layer.info();
  return {{"isa", info.isa},
          {"specialised", info.specialised != 0},
          {"fallback", info.fallback},
          {"kernels", info.kernels},
          {"table_type", type_name(info.table_type)},
          {"projection_type", type_name(info.projection_type)},
          {"table_bytes", info.table_bytes},
          {"projection_bytes", info.projection_bytes},
          {"packed_bytes", info.packed_bytes},
          {"huge_page_bytes", info.huge_page_bytes},
          {"pack_seconds", info.pack_seconds},
          {"process_resident_bytes", process_bytes("VmRSS")}};
}

void print_layer(const nlohmann::json& layer) {
  const auto number = [](const nlohmann::json& value) { return value.get<double>(); };
  std::printf("layer %s\n", quote_name(layer["prefix"].get<std::string>()).c_str());
  std::string text = "family " + layer["family"].get<std::string>() + ", projection " + layer["projection"].get<std::string>();
  for (const ShapeField& field : kShapeFields) {
    if (layer.contains(field.name))
      text += std::string(", ") + field.name + " " + std::to_string(layer[field.name].get<size_t>());
  }
  std::printf("  %s", text.c_str());
  for (const char* name : {"decay", "layer_norm_eps"}) {
    if (layer.contains(name)) std::printf(", %s %g", name, number(layer[name]));
  }
  std::printf("\n  tables %s", megabytes(number(layer["table_bytes"])).c_str());
  if (number(layer["projection_bytes"]) > 0)
    std::printf(", projection %s", megabytes(number(layer["projection_bytes"])).c_str());
  const nlohmann::json& token = layer["per_token"];
  std::printf("\n  %s: %.3f Mflop (hash %.3f, gather %.3f), reads %s of tables\n", layer.contains("d_in") ? "a token" : "an id",
              number(token["flops"]) / 1e6, number(token["hash_flops"]) / 1e6, number(token["gather_flops"]) / 1e6,
              megabytes(number(token["table_bytes"])).c_str());
  if (layer.contains("dense_ffn")) {
    std::printf(
        "  the dense FFN of this width (%zu hidden): %.3f Mflop a token, %s of weights in f32; this layer does %.1f %% of its "
        "flops\n",
        layer["dense_ffn"]["d_hidden"].get<size_t>(), number(layer["dense_ffn"]["flops"]) / 1e6,
        megabytes(number(layer["dense_ffn"]["weight_bytes"])).c_str(), 100 * number(layer["flops_of_dense"]));
  }
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
  nlohmann::json result = {{"model", options.model}, {"layers", nlohmann::json::array()}};
  // Names that lead nowhere are mistakes, packed or not.
  if (!options.layer.prefix.empty()) find_layer(model.get(), options.layer.prefix.c_str());
  if (!options.layer.library.empty()) load_kernels(options.layer.library);
  for (const Shape& shape : model.layers()) {
    if (!options.layer.prefix.empty() && options.layer.prefix != shape.prefix) continue;
    nlohmann::json layer = describe_layer(shape, options.layer);
    if (options.packed) layer["packed"] = describe_packed(options.layer.pack(model, shape.prefix));
    if (!options.json) print_layer(layer);
    result["layers"].push_back(layer);
  }
  if (options.json) std::printf("%s\n", json_text(result).c_str());
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("inspect", "Show a model's layers: shapes, bytes, what a token costs beside the dense FFN");
  auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "Model file (safetensors)")->required();
  command->add_flag("--packed", options->packed, "Pack each layer too, and tell time, bytes and kernels");
  command->add_flag("--json", options->json, "Print JSON");
  options->layer.add_to(*command);
  command->callback([options] { inspect(*options); });
}

}  // namespace lookupffn
