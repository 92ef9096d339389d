// lookupffn_compare_fff: the fast feed-forward layer of UltraFastBERT's "1x11" (one tree, depth 11, d 768)
// beside the dense 768-3072-768 that it stands in for, in oneDNN. Both are verified first, then timed in turn
// on a ring of fresh tokens.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "contender.h"
#include "lookupffn/lookupffn.hpp"
#include "meter.h"
#include "model.h"
#include "one_cpu_set.h"
#include "reference/reference_family.h"
#include "shape_fields.h"
#include "standard_output.h"
#include "verify.h"
#include "workload.h"

namespace lookupffn::bench {
namespace {

constexpr char kWorkload[] = "ultrafastbert_1x11";
constexpr size_t kWidth = 768, kLeaves = 2048;

struct Options {
  std::vector<size_t> tokens = {1, 8, 64};
  size_t threads = 1, samples = 21;
  std::string isa, library;
};

TokenRing make_ring(size_t largest_call) {
  RandomNumbers random(2);
  TokenRing ring;
  ring.tokens = std::max(4 * kLeaves, 2 * largest_call);
  ring.x.resize(ring.tokens * kWidth);
  for (float& value : ring.x) value = random.spread(1);
  return ring;
}

// Codes, scores and y of the first ring tokens, against the naive twin.
void verify_ours(const ModelLayer& source, const Layer& layer, const Threads& threads, const TokenRing& ring, size_t tokens) {
  const auto twin = reference::reference_family(source.shape().family).twin(source, LOOKUPFFN_F32, LOOKUPFFN_F32);
  reference::Input input;
  input.tokens = tokens;
  input.x.assign(ring.x.begin(), ring.x.begin() + ptrdiff_t(tokens * kWidth));
  for (const reference::Stage stage : {reference::Stage::kHash, reference::Stage::kForward}) {
    if (!twin->judge(stage, input, reference::run_stage(stage, *layer.get(), *threads.get(), input)).passed()) {
      throw std::runtime_error("ours is wrong");
    }
  }
}

struct Row {
  std::string name;
  std::function<void(size_t first)> call;
  std::unique_ptr<Meter> meter;
};

void compare(const Options& options) {
  if (!options.library.empty()) load_kernels(options.library);
  if (options.library.empty() && register_workload_kernels() != LOOKUPFFN_OK)
    throw std::runtime_error(lookupffn_last_message());
  const size_t largest = *std::max_element(options.tokens.begin(), options.tokens.end());
  const LayerShape workload = lookupffn::find_workload(kWorkload);
  lookupffn_shape shape = {};
  for (const ShapeField& field : kShapeFields) shape.*field.c_value = size_t(workload.*field.value);
  const std::vector<uint8_t> bytes = reference::reference_family("fff").random_model(shape, 1);
  const Model model(bytes.data(), bytes.size());
  PackOptions pack{};
  if (!options.isa.empty()) pack.isa = options.isa.c_str();
  const Layer layer(model, "", pack);
  const Threads threads(options.threads);
  const TokenRing ring = make_ring(largest);
  verify_ours(find_layer(model.get(), nullptr), layer, threads, ring, 256);

  SyntheticLayer no_layer;
  no_layer.workload.d = kWidth;
  const DenseFfn ffn = make_dense_ffn(kWidth);
  const Setting setting = {no_layer, ffn, ring, options.threads, largest, options.isa};
  std::vector<ContenderKind> kinds = {onednn_f32_contender(), onednn_bf16_contender()};
  std::vector<std::unique_ptr<Contender>> peers;
  for (const ContenderKind& kind : kinds) peers.push_back(kind.make(setting, {}));
  for (const auto& peer : peers) peer->set_tokens(options.tokens.front());

  const LayerInfo info = layer.info();
  std::cout << "ours: " << info.isa << ", " << options.threads << (options.threads == 1 ? " thread, " : " threads, ")
            << info.kernels << "\n"
            << "peers: " << peers.front()->schedule() << "; " << peers.back()->schedule() << "\n"
            << "dense 768-3072-768 and one tree of 4095 nodes, " << options.samples << " samples in turn, medians\n\n";
  std::vector<float> y(largest * kWidth);
  for (const size_t tokens : options.tokens) {
    std::vector<Row> rows;
    rows.push_back({"fff", [&](size_t first) { layer.forward(threads, &ring.x[first * kWidth], y.data(), tokens); }, nullptr});
    for (size_t k = 0; k < peers.size(); ++k) {
      peers[k]->set_tokens(tokens);
      verify_contender(kinds[k], *peers[k], setting, {}, tokens);
      rows.push_back({kinds[k].name, [&peers, k, tokens](size_t first) { peers[k]->run(Part::kAll, first, tokens); }, nullptr});
    }
    std::vector<Meter*> meters;
    for (Row& row : rows) {
      row.meter = std::make_unique<Meter>(time_calls(row.call, tokens, ring.tokens));
      meters.push_back(row.meter.get());
    }
    sample_in_turn(meters, options.samples, options.threads);
    const double ours = rows.front().meter->median();
    for (const Row& row : rows) {
      std::printf("%5zu tokens  %-12s %9.3f us a token  spread %4.1f %%  %6.1f x ours\n", tokens, row.name.c_str(),
                  row.meter->median(), 100 * row.meter->spread(), row.meter->median() / ours);
    }
  }
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Times a fast feed-forward layer and the dense layer that it stands in for, in turn, each verified "
      "first.",
      "lookupffn_compare_fff");
  app.add_option("--tokens", options.tokens, "Tokens a call, a list")
      ->capture_default_str()
      ->delimiter(',')
      ->check(CLI::Range(1, 100'000));
  app.add_option("--threads", options.threads, "Threads and CPUs, the same for all")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  app.add_option("--samples", options.samples, "Samples of each, taken in turn")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  app.add_option("--library", options.library, "Ours: folder of a kernel library that `lookupffn build` made");
  app.add_option("--isa", options.isa, "Ours: the ISA; default: the active one");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  try {
    pin_and_restart(options.threads, argv);
    compare(options);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "lookupffn_compare_fff: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace
}  // namespace lookupffn::bench

int main(int argc, char** argv) {
  lookupffn::hold_standard_streams();
  return lookupffn::written_out("lookupffn_compare_fff", lookupffn::bench::run(argc, argv));
}
