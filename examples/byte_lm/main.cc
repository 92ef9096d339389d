// A byte-level language model whose feed-forward layers are LookupFFN layers, beside its dense twin.

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evaluation.h"
#include "feed_forward.h"
#include "generation.h"
#include "lookupffn/lookupffn.hpp"
#include "report.h"
#include "thread_pool.h"
#include "transformer.h"
#ifdef BYTE_LM_SPECIALISED
#include <byte_lm_kernels.h>
#endif

namespace byte_lm {
namespace {

// How far the loss may be from the one that was computed in float64: by float32, and by smaller types.
constexpr double kF32Tolerance = 1e-4;
constexpr double kSmallTypeTolerance = 0.005;

struct Options {
  std::string data = BYTE_LM_DATA;
  std::string isa, library;
  size_t threads = 0;
  lookupffn::PackOptions pack{};
  bool quick = false, compare_types = false, json = false;
  std::optional<std::string> prompt;
  GenerationOptions generation;
};

// An option that takes one of the names in `choices`; the first is the default.
// The types that serve as one or the other.
std::vector<std::pair<std::string, lookupffn_type>> types_for(int lookupffn::TypeInfo::*role) {
  std::vector<std::pair<std::string, lookupffn_type>> types;
  for (const lookupffn::TypeInfo& info : lookupffn::types()) {
    if (info.*role) types.emplace_back(info.name, info.type);
  }
  return types;
}

template <class Choice>
void add_choice(CLI::App* app, const std::string& option, const std::string& description,
                const std::vector<std::pair<std::string, Choice>>& choices, Choice* chosen) {
  std::vector<std::string> names;
  for (const auto& choice : choices) names.push_back(choice.first);
  const auto set = [choices, chosen](const std::string& name) {
    for (const auto& choice : choices) {
      if (choice.first == name) *chosen = choice.second;
    }
  };
  app->add_option_function<std::string>(option, set, description + " [" + names[0] + "]")->check(CLI::IsMember(names));
}

void add_options(CLI::App* app, Options* options) {
  app->add_option("--prompt", options->prompt, "Continue this text with the LookupFFN model, after the report");
  app->add_option("--length", options->generation.length, "Bytes to continue it by")
      ->check(CLI::Range(size_t{0}, size_t{1'000'000}))
      ->capture_default_str();
  app->add_option("--temperature", options->generation.temperature, "Sampling temperature, 0 for the likeliest byte each time")
      ->check(
          [](const std::string& text) {
            double value = -1;
            const bool number = CLI::detail::lexical_cast(text, value) && value >= 0 && value <= 100;  // NaN is in no range
            return number ? std::string() : "'" + text + "' is not a number from 0 to 100";
          },
          "0 to 100")
      ->capture_default_str();
  app->add_option("--seed", options->generation.seed, "Seed of the sampling")
      ->check(CLI::Range(uint64_t{0}, uint64_t{INT64_MAX}))
      ->capture_default_str();
  app->add_option("--threads", options->threads, "Threads, for LookupFFN and all else [all that this process may use]")
      ->check(CLI::Range(size_t{1}, size_t{1024}));
  add_choice(app, "--table-type", "Type of the packed tables", types_for(&lookupffn::TypeInfo::for_tables),
             &options->pack.table_type);
  add_choice(app, "--projection-type", "Type of the packed projection", types_for(&lookupffn::TypeInfo::for_projections),
             &options->pack.projection_type);
  app->add_option("--isa", options->isa, "Instruction set of the LookupFFN kernels [the widest that runs here]");
  add_choice(
      app, "--kernels", "LookupFFN kernels; 'specialised' fails rather than fall back",
      {{"any", LOOKUPFFN_ANY_KERNELS}, {"generic", LOOKUPFFN_GENERIC_KERNELS}, {"specialised", LOOKUPFFN_SPECIALISED_KERNELS}},
      &options->pack.kernels);
  app->add_option("--library", options->library, "Load kernel libraries made by 'lookupffn build' from this folder");
  app->add_flag("--compare-types", options->compare_types,
                "Also report the change of loss with each table and projection type");
  app->add_flag("--quick", options->quick, "Evaluate only the sequences that come with expected logits, not the whole text");
  app->add_flag("--json", options->json, "Print JSON");
  app->add_option("--data", options->data, "Folder of the models and the evaluation text")->capture_default_str();
}

Transformer lookup_transformer(const std::string& path, const lookupffn::PackOptions& pack, const lookupffn::Threads& threads,
                               ThreadPool* pool, std::vector<lookupffn::LayerInfo>* infos) {
  const TensorFile file(path);
  const lookupffn::Model model(path);
  std::vector<std::unique_ptr<FeedForward>> feed_forward;
  for (size_t layer = 0; layer < file.size("layers"); ++layer) {
    auto part = std::make_unique<LookupFeedForward>(model, Transformer::ffn_prefix(layer), pack, threads);
    infos->push_back(part->info());
    feed_forward.push_back(std::move(part));
  }
  return Transformer(file, std::move(feed_forward), pool);
}

Transformer dense_transformer(const std::string& path, ThreadPool* pool) {
  const TensorFile file(path);
  std::vector<std::unique_ptr<FeedForward>> feed_forward;
  for (size_t layer = 0; layer < file.size("layers"); ++layer) {
    feed_forward.push_back(std::make_unique<DenseFeedForward>(file, Transformer::ffn_prefix(layer), file.size("d"), pool));
  }
  return Transformer(file, std::move(feed_forward), pool);
}

std::vector<TypeLoss> compare_types(const std::string& path, lookupffn::PackOptions pack, const EvaluationText& text,
                                    const lookupffn::Threads& threads, ThreadPool* pool) {
  std::vector<TypeLoss> losses;
  for (const auto& [projection_name, projection_type] : types_for(&lookupffn::TypeInfo::for_projections)) {
    for (const auto& [table_name, table_type] : types_for(&lookupffn::TypeInfo::for_tables)) {
      pack.table_type = table_type;
      pack.projection_type = projection_type;
      std::vector<lookupffn::LayerInfo> infos;
      const Transformer model = lookup_transformer(path, pack, threads, pool, &infos);
      const double with_types = loss({&model, &text});
      const double base = losses.empty() ? with_types : losses[0].loss;
      losses.push_back({table_type, projection_type, with_types, with_types - base});
    }
  }
  return losses;
}

int run(Options options) {
#ifdef BYTE_LM_SPECIALISED
  lookupffn::check(byte_lm_kernels_register());
#endif
  if (!options.library.empty()) lookupffn::load_kernels(options.library);
  if (!options.isa.empty()) options.pack.isa = options.isa.c_str();

  const lookupffn::Threads threads(options.threads);
  ThreadPool pool(threads.count());
  const std::string lookup_path = options.data + "/byte_lm_lookup.safetensors";
  const EvaluationText lookup_text = read_evaluation(options.data + "/byte_lm_lookup.eval.safetensors", options.quick);
  const EvaluationText dense_text = read_evaluation(options.data + "/byte_lm_dense.eval.safetensors", options.quick);

  Report report;
  report.quick = options.quick;
  report.tokens = lookup_text.tokens();
  report.batches = lookup_text.batches.size();
  report.threads = threads.count();
  const Transformer lookup = lookup_transformer(lookup_path, options.pack, threads, &pool, &report.layers);
  const Transformer dense = dense_transformer(options.data + "/byte_lm_dense.safetensors", &pool);

  constexpr size_t kRounds = 3;
  const std::vector<Evaluation> evaluations = evaluate({{&lookup, &lookup_text}, {&dense, &dense_text}}, kRounds);
  const bool f32 = options.pack.table_type == LOOKUPFFN_F32 && options.pack.projection_type == LOOKUPFFN_F32;
  report.models.push_back({"LookupFFN", lookup_text.expected_loss, f32 ? kF32Tolerance : kSmallTypeTolerance, evaluations[0]});
  report.models.push_back({"dense", dense_text.expected_loss, kF32Tolerance, evaluations[1]});

  if (options.compare_types) {
    report.types = compare_types(lookup_path, options.pack, lookup_text, threads, &pool);
  }
  if (options.prompt) {
    report.prompt = options.prompt;
    report.continuation = continue_text(lookup, *options.prompt, options.generation);
  }
  if (options.json) {
    print_json(report, &std::cout);
  } else {
    print_tables(report, &std::cout);
  }
  if (report.as_expected()) return 0;
  std::cerr << "byte_lm: a loss is not as expected\n";
  return 1;
}

}  // namespace
}  // namespace byte_lm

int main(int argc, char** argv) {
  CLI::App app(
      "A small language model over bytes, trained on the King James Bible, with LookupFFN feed-forward "
      "layers,\n"
      "and its twin with dense ones. Checks the loss and logits of both against those computed in float64, "
      "and\n"
      "compares their speed. Exits with 0 only if both losses are as expected.");
  byte_lm::Options options;
  byte_lm::add_options(&app, &options);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("byte_lm: ") + error.what() + " (see byte_lm --help)\n";
  });
  int status = 0;
  try {
    app.parse(argc, argv);
    status = byte_lm::run(options);
  } catch (const CLI::ParseError& error) {
    status = app.exit(error);  // help ends here, too
  } catch (const std::exception& error) {
    std::cerr << "byte_lm: " << error.what() << '\n';
    status = 1;
  }
  if (std::cout.flush()) return status;
  std::cerr << "byte_lm: standard output could not be written\n";
  return status != 0 ? status : 1;
}
