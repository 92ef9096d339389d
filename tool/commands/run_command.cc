#include "run_command.h"

#include <sys/stat.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "layer_options.h"
#include "lookupffn/lookupffn.hpp"
#include "reference/token_rows.h"
#include "safetensors.h"
#include "safetensors_writer.h"

namespace lookupffn {
namespace {

struct Options {
  std::string model, input, output;
  bool residual = false;
  LayerOptions layer;
};

// The result would take the place of what it was made from.
void check_output(const Options& options) {
  if (options.output.empty()) throw std::runtime_error("--output is empty: name a file");
  struct stat output, other;
  if (stat(options.output.c_str(), &output) != 0) return;
  for (const auto& [file, what] : {std::pair(&options.model, "the model"), {&options.input, "the input"}}) {
    if (stat(file->c_str(), &other) == 0 && output.st_dev == other.st_dev && output.st_ino == other.st_ino) {
      throw std::runtime_error("--output '" + options.output + "' is " + what + " itself: name another file");
    }
  }
}

void run(const Options& options) {
  check_output(options);
  const Model model(options.model);
  const Layer layer = options.layer.pack(model, options.layer.prefix);
  const Shape shape = layer.shape();
  const SafetensorsFile input(options.input);
  const std::vector<float> x = float_rows(input, "x", kAnyTokens, shape.d_in);
  const size_t tokens = x.size() / shape.d_in;
  std::vector<float> y(tokens * shape.d_out);
  const Threads threads(options.layer.threads);
  layer.forward(threads, x.data(), y.data(), tokens, options.residual ? LOOKUPFFN_ADD_RESIDUAL : 0);
  write_safetensors(options.output, {{"y", ElementType::kF32, {tokens, shape.d_out}, y.data()}});
  std::printf("%zu tokens through layer %s to %s\non %s\n", tokens, quote_name(shape.prefix).c_str(), options.output.c_str(),
              ran_on(layer, threads.count()).c_str());
}

}  // namespace

void add_run_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("run", "Run a layer: tensor x of one safetensors file in, y of another out");
  auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "Model file (safetensors)")->required();
  command->add_option("--input", options->input, "File with x [tokens, d_in]")->required();
  command->add_option("--output", options->output, "File to write y [tokens, d_out] to")->required();
  command->add_flag("--residual", options->residual, "Add x to y (d_in = d_out)");
  options->layer.add_to(*command);
  command->callback([options] { run(*options); });
}

}  // namespace lookupffn
