// Space and generators agree: the same parameters, and schedules that a space calls legal compile and give
// the bits of the default, through a schedule record, a kernel library and a layer.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "atomic_file.h"
#include "compiler_family.h"
#include "drawn_seed.h"
#include "generator_command.h"
#include "kernel_library.h"
#include "lookupffn/lookupffn.h"
#include "machine.h"
#include "schedule_record.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

// The sources of all families' generators, by their kernels' names.
const std::map<std::string, std::string>& generator_sources() {
  static const std::map<std::string, std::string> all = [] {
    std::map<std::string, std::string> sources;
    const std::string end = "_generator.cc";
    for (const auto& entry : std::filesystem::recursive_directory_iterator(LOOKUPFFN_GENERATOR_SOURCES)) {
      const std::string name = entry.path().filename().string();
      if (name.size() <= end.size() || name.substr(name.size() - end.size()) != end) continue;
      sources[name.substr(0, name.size() - end.size())] = read_file(entry.path().string());
    }
    return sources;
  }();
  return all;
}

// Names of GeneratorParams from a generator's source, between two texts.
std::set<std::string> generator_parameters(const std::string& kernel, const std::string& from, const std::string& to) {
  const std::string& source = generator_sources().at(kernel);
  const size_t begin = source.find(from), end = source.find(to, begin);
  EXPECT_NE(end, std::string::npos) << kernel;
  const std::string part = source.substr(begin, end - begin);
  const std::regex declaration("GeneratorParam<[^;]*?\\{\\s*\"(\\w+)\"");
  std::set<std::string> names;
  for (std::sregex_iterator at(part.begin(), part.end(), declaration), last; at != last; ++at) names.insert((*at)[1]);
  return names;
}

TEST(ScheduleSpaces, HaveTheGeneratorsParameters) {
  // Between them, these layers say all that the generators can be told of a problem.
  std::map<std::string, std::set<std::string>> in_problem;
  std::vector<std::string> shapes = {"family=memoryformer d_in=512 d_out=512 tables=64 bits=8 projection=dense",
                                     "family=fff d_in=64 rows=8 block=32"};
  for (const CompilerFamily* family : compiler_families()) {
    for (const auto& workload : family->workloads) shapes.push_back(workload.second);
  }
  for (const std::string& shape : shapes) {
    for (const KernelSpec& spec :
         layer_kernels(ScheduleSpaces({LOOKUPFFN_SCHEDULES}), parse_layer_shape(shape), "avx2", "f32", "f32")) {
      for (const auto& pair : generator_problem(spec)) in_problem[spec.kernel].insert(pair.first);
    }
  }
  for (const KernelSpec& spec : training_kernels(ScheduleSpaces({LOOKUPFFN_SCHEDULES}), "avx2")) {
    EXPECT_TRUE(generator_problem(spec).empty()) << spec.kernel;
    in_problem[spec.kernel];
  }
  const std::vector<std::string> names = kernel_names();
  EXPECT_EQ(in_problem.size(), names.size()) << "a kernel that neither a workload nor a training step has";
  for (const auto& [kernel, problem] : in_problem) {
    const ScheduleSpace space = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(kernel);
    std::set<std::string> in_space;
    for (const auto& parameter : space.parameters()) in_space.insert(parameter.name);
    EXPECT_EQ(in_space, generator_parameters(kernel, "---- the schedule", "Input<")) << kernel;
    EXPECT_EQ(problem, generator_parameters(kernel, "---- the problem", "---- the schedule")) << kernel;
  }
}

// What a generator takes where it is told nothing of a parameter, as a space writes it.
std::string generator_default(const std::string& kernel, const std::string& parameter) {
  const std::string source = generator_sources().at(kernel);
  const std::regex declaration("GeneratorParam<[^;]*?\\{\\s*(?://[^\n]*\\s*)?\"" + parameter + "\",\\s*([\\w:]+)([^;]*);");
  std::smatch match;
  if (!std::regex_search(source, match, declaration)) return "not declared";
  const std::string value = match[1], names = match[2];
  const std::regex name("\"(\\w+)\",\\s*" + value + "\\}");
  return std::regex_search(names, match, name) ? match[1].str() : value;
}

// A schedule without a parameter is what it was before there was one.
TEST(ScheduleSpaces, NeutralValuesAreTheGeneratorsDefaults) {
  for (const char* kernel : {"hash", "gather"}) {
    const ScheduleSpace space = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(kernel);
    for (const auto& parameter : space.parameters()) {
      if (parameter.neutral.empty()) continue;
      EXPECT_EQ(generator_default(kernel, parameter.name), parameter.neutral) << kernel << "'s " << parameter.name;
      EXPECT_EQ(parameter.values[0], parameter.neutral) << kernel << "'s " << parameter.name;
    }
  }
}

// A generator's source without comments, what its strings say, and the bodies of functions called schedule...
std::string code_without_schedules(const std::string& kernel) {
  std::string code = std::regex_replace(generator_sources().at(kernel), std::regex("//[^\n]*|\"[^\"\n]*\""), "");
  const std::regex head("void (\\w+::)?schedule\\w*\\([^;{]*\\{");
  for (std::smatch match; std::regex_search(code, match, head);) {
    const size_t begin = size_t(match.position(0));
    size_t end = begin + size_t(match.length(0));
    for (int depth = 1; depth > 0 && end < code.size(); ++end) depth += code[end] == '{' ? 1 : code[end] == '}' ? -1 : 0;
    code.erase(begin, end - begin);
  }
  return code;
}

// What a kernel computes does not depend on its schedule, because generate() does not see it.
TEST(Generators, OnlyTheirSchedulesReadScheduleParameters) {
  for (const auto& [kernel, source] : generator_sources()) {
    if (source.find("---- the schedule") == std::string::npos) continue;  // it has none
    const std::string code = code_without_schedules(kernel);
    ASSERT_NE(code.find("void generate()"), std::string::npos) << kernel;
    for (const std::string& name : generator_parameters(kernel, "---- the schedule", "Input<")) {
      // The declaration alone is left.
      const std::regex word("\\b" + name + "\\b");
      EXPECT_EQ(std::distance(std::sregex_iterator(code.begin(), code.end(), word), std::sregex_iterator()), 1)
          << kernel << " reads " << name << " outside of schedule()";
    }
  }
}

constexpr size_t kTokenCounts[] = {1, 5, 29, 128, 131};

struct Model {
  explicit Model(const std::string& name) {
    const std::string path = std::string(LOOKUPFFN_TEST_DATA) + "/golden/" + name + ".model.safetensors";
    EXPECT_EQ(lookupffn_model_open(path.c_str(), &handle), LOOKUPFFN_OK) << lookupffn_last_message();
    EXPECT_EQ(lookupffn_model_layer(handle, 0, &shape), LOOKUPFFN_OK);
  }
  ~Model() { lookupffn_model_close(handle); }
  lookupffn_model* handle = nullptr;
  lookupffn_shape shape = {};
};

struct Case {
  std::string isa;
  const char *model, *table_type, *projection_type;
};

// On every ISA that this machine runs (isa_test asserts which those are).
std::vector<Case> on_every_isa(const std::vector<Case>& cases) {
  std::vector<Case> all;
  for (size_t i = 0; i < lookupffn_isa_count(); ++i) {
    lookupffn_isa_info info;
    EXPECT_EQ(lookupffn_isa_at(i, &info), LOOKUPFFN_OK);
    if (!info.built_in || !info.runnable) continue;
    for (Case one : cases) {
      one.isa = info.name;
      all.push_back(one);
    }
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.isa + "_" + info.param.model + "_" + info.param.table_type + "_" + info.param.projection_type;
}

// What the layer gives for each count of tokens, on the specialised kernels registered last.
std::vector<std::vector<float>> outputs(const Model& model, const Case& with, const std::string& provenance) {
  lookupffn_pack_options options = {};
  options.table_type = weight_type_of(with.table_type).type;
  options.projection_type = weight_type_of(with.projection_type).type;
  options.isa = with.isa.c_str();
  options.kernels = LOOKUPFFN_SPECIALISED_KERNELS;
  lookupffn_layer* layer = nullptr;
  EXPECT_EQ(lookupffn_layer_pack(model.handle, nullptr, &options, &layer), LOOKUPFFN_OK) << lookupffn_last_message();
  lookupffn_layer_info info;
  EXPECT_EQ(lookupffn_layer_describe(layer, &info), LOOKUPFFN_OK);
  EXPECT_NE(std::string(info.kernels).find(provenance), std::string::npos) << info.kernels;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> results;
  for (const size_t tokens : kTokenCounts) {
    std::vector<float> x(tokens * model.shape.d_in), y(tokens * model.shape.d_out);
    for (float& value : x) value = normal(random);
    EXPECT_EQ(lookupffn_forward(layer, nullptr, x.data(), ptrdiff_t(model.shape.d_in), y.data(), ptrdiff_t(model.shape.d_out),
                                tokens, 0),
              LOOKUPFFN_OK)
        << lookupffn_last_message();
    results.push_back(y);
  }
  lookupffn_layer_free(layer);
  return results;
}

// Schedules drawn from the legal ones give the default's bits.
void expect_the_defaults_bits(const Case& with, int samples) {
  SCOPED_TRACE("LOOKUPFFN_TEST_SEED=" + std::to_string(checks::drawn_seed()));
  const Model model(with.model);
  LayerShape shape;
  shape.projection = model.shape.projection == LOOKUPFFN_BH4 ? "bh4" : "dense";
  shape.d_in = int64_t(model.shape.d_in);
  shape.d_out = int64_t(model.shape.d_out);
  shape.tables = int64_t(model.shape.tables);
  shape.bits = int64_t(model.shape.bits);
  shape.block = int64_t(model.shape.block);
  shape.repeats = int64_t(model.shape.repeats);

  ScratchFolder folder;
  KernelLibraryRequest request;
  request.specs = layer_kernels(ScheduleSpaces({LOOKUPFFN_SCHEDULES}), shape, with.isa, with.table_type, with.projection_type);
  request.generator = LOOKUPFFN_TEST_GENERATOR;
  request.sanitizer = LOOKUPFFN_TEST_SANITIZER;
  request.jobs = this_machine().threads;
  const auto build_and_run = [&](const std::string& name, const std::vector<std::string>& schedules_dirs,
                                 const std::string& provenance) {
    request.name = name;
    request.directory = folder.file(name);
    request.schedules_dirs = schedules_dirs;
    const KernelLibraryResult result = build_kernel_library(request);
    EXPECT_EQ(result.tuned, schedules_dirs.size() > 1 ? request.specs.size() : 0);
    EXPECT_TRUE(result.notes.empty()) << result.notes[0];
    EXPECT_EQ(lookupffn_load_kernels(request.directory.c_str(), nullptr), LOOKUPFFN_OK) << lookupffn_last_message();
    return outputs(model, with, provenance);
  };
  // The spaces alone, so that shipped records do not decide.
  const std::string spaces = folder.file("spaces");
  std::filesystem::create_directory(spaces);
  for (const char* kernel : {"hash", "gather"}) {
    const std::string file = std::string("/") + kernel + ".space.json";
    std::filesystem::copy_file(LOOKUPFFN_GENERATOR_SOURCES "/lookupffn" + file, spaces + file);
  }
  const std::string suffix = "_of_" + with.isa + "_" + with.model + "_" + with.table_type + "_" + with.projection_type;
  const auto expected = build_and_run("default" + suffix, {spaces}, "[default]");

  std::mt19937 random(checks::drawn_seed());
  for (int sample = 0; sample < samples; ++sample) {
    const std::string tuned = folder.file("schedules" + std::to_string(sample));
    std::string text;
    for (const KernelSpec& spec : request.specs) {
      const ScheduleSpace space = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(spec.kernel);
      const std::vector<Schedule> drawn = space.sample(spec, 1, random());
      ASSERT_FALSE(drawn.empty());
      ScheduleRecord record;
      record.spec = spec;
      record.threads = this_machine().threads;
      record.schedule = drawn[0];
      record.provenance.cpu = this_machine().cpu;
      save_record(tuned, record);
      text += describe(spec) + ": " + canonical_text(record.schedule) + "\n";
    }
    const auto actual = build_and_run("sample" + std::to_string(sample) + suffix, {tuned, spaces}, "[tuned/");
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(std::memcmp(expected[i].data(), actual[i].data(), expected[i].size() * sizeof(float)), 0)
          << kTokenCounts[i] << " tokens of " << with.model << " with\n"
          << text;
    }
  }
}

class SchedulePoints : public testing::TestWithParam<Case> {};

TEST_P(SchedulePoints, ADrawnOneGivesTheDefaultsBits) { expect_the_defaults_bits(GetParam(), 1); }

INSTANTIATE_TEST_SUITE_P(Models, SchedulePoints, testing::ValuesIn(on_every_isa({{"", "bh4_d64_t40_b4", "f32", "f32"}})),
                         name_of);

class SchedulePointsSlow : public SchedulePoints {};

TEST_P(SchedulePointsSlow, DrawnOnesGiveTheDefaultsBits) { expect_the_defaults_bits(GetParam(), 3); }

INSTANTIATE_TEST_SUITE_P(
    Models, SchedulePointsSlow,
    testing::ValuesIn(on_every_isa({{"", "bh4_d256_t64_b8_repeat2", "f32", "f32"},
                                    {"", "bh4_d192_t24_b7", "f32", "f32"},
                                    {"", "dense_d512_t16_b8", "f32", "f32"},
                                    // Sums of so few terms that LLVM unrolls them whole.
                                    {"", "dense_d8_t1_b1", "f32", "f32"},
                                    {"", "bh4_d32_t6_b5_bf16_block1", "f32", "f32"},
                                    // On AMX and byte dot products, where the ISA has them.
                                    {"", "bh4_d256_t64_b8_repeat2", "i8", "bf16x3"},
                                    {"", "dense_d512_t16_b8", "i8", "bf16"},
                                    // Rows of groups of columns: an odd number of tiles, byte dot products.
                                    {"", "bh4_d192_t24_b7", "i4", "f32"},
                                    {"", "dense_d512_t16_b8", "i4", "f32"}})),
    name_of);

}  // namespace
}  // namespace lookupffn
