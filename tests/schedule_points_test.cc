// Space and generators agree: the same parameters, and schedules that a space calls legal compile and give
// the bits of the default, through a schedule record, a kernel library and a layer.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <iterator>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "atomic_file.h"
#include "generator_command.h"
#include "kernel_library.h"
#include "layer_kernels.h"
#include "lookupffn/lookupffn.h"
#include "machine.h"
#include "schedule_record.h"
#include "schedule_space.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

// Names of GeneratorParams from a generator's source, between two texts.
std::set<std::string> generator_parameters(const std::string& kernel, const std::string& from,
                                           const std::string& to) {
  const std::string source =
      read_file(std::string(LOOKUPFFN_GENERATOR_SOURCES) + "/" + kernel + "_generator.cc");
  const size_t begin = source.find(from), end = source.find(to, begin);
  EXPECT_NE(end, std::string::npos) << kernel;
  const std::string part = source.substr(begin, end - begin);
  const std::regex declaration("GeneratorParam<[^;]*?\\{\"(\\w+)\"");
  std::set<std::string> names;
  for (std::sregex_iterator at(part.begin(), part.end(), declaration), last; at != last; ++at)
    names.insert((*at)[1]);
  return names;
}

TEST(ScheduleSpaces, HaveTheGeneratorsParameters) {
  for (const KernelSpec& spec :
       layer_kernels(parse_layer_shape("d_in=512 tables=128"), "avx2", "f32", "f32")) {
    const ScheduleSpace space = ScheduleSpace::load(LOOKUPFFN_SCHEDULES, spec.kernel);
    std::set<std::string> in_space, in_problem;
    for (const auto& parameter : space.parameters()) in_space.insert(parameter.name);
    for (const auto& pair : generator_problem(spec)) in_problem.insert(pair.first);
    EXPECT_EQ(in_space, generator_parameters(spec.kernel, "---- the schedule", "Input<")) << spec.kernel;
    EXPECT_EQ(in_problem, generator_parameters(spec.kernel, "---- the problem", "---- the schedule"))
        << spec.kernel;
  }
}

// A generator's source without comments, what its strings say, and the bodies of functions called schedule...
std::string code_without_schedules(const std::string& kernel) {
  std::string code = read_file(std::string(LOOKUPFFN_GENERATOR_SOURCES) + "/" + kernel + "_generator.cc");
  code = std::regex_replace(code, std::regex("//[^\n]*|\"[^\"\n]*\""), "");
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
  for (const char* kernel : {"hash", "gather", "portable_product"}) {
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
  const char *model, *table_type, *projection_type;
};

// What the layer gives for each count of tokens, on the specialised kernels registered last.
std::vector<std::vector<float>> outputs(const Model& model, const char* isa, const Case& with,
                                        const std::string& provenance) {
  lookupffn_pack_options options = {};
  options.table_type = std::string(with.table_type) == "i8" ? LOOKUPFFN_I8 : LOOKUPFFN_F32;
  options.projection_type = std::string(with.projection_type) == "bf16"     ? LOOKUPFFN_BF16
                            : std::string(with.projection_type) == "bf16x3" ? LOOKUPFFN_BF16X3
                                                                            : LOOKUPFFN_F32;
  options.isa = isa;
  options.kernels = LOOKUPFFN_SPECIALISED_KERNELS;
  lookupffn_layer* layer = nullptr;
  EXPECT_EQ(lookupffn_layer_pack(model.handle, nullptr, &options, &layer), LOOKUPFFN_OK)
      << lookupffn_last_message();
  lookupffn_layer_info info;
  EXPECT_EQ(lookupffn_layer_describe(layer, &info), LOOKUPFFN_OK);
  EXPECT_NE(std::string(info.kernels).find(provenance), std::string::npos) << info.kernels;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> results;
  for (const size_t tokens : kTokenCounts) {
    std::vector<float> x(tokens * model.shape.d_in), y(tokens * model.shape.d_out);
    for (float& value : x) value = normal(random);
    EXPECT_EQ(lookupffn_forward(layer, nullptr, x.data(), ptrdiff_t(model.shape.d_in), y.data(),
                                ptrdiff_t(model.shape.d_out), tokens, 0),
              LOOKUPFFN_OK)
        << lookupffn_last_message();
    results.push_back(y);
  }
  lookupffn_layer_free(layer);
  return results;
}

class SchedulePoints : public testing::TestWithParam<Case> {};

TEST_P(SchedulePoints, AnyLegalScheduleGivesTheDefaultsBits) {
  const Case& with = GetParam();
  const Model model(with.model);
  LayerShape shape;
  shape.projection = model.shape.projection == LOOKUPFFN_BH4 ? "bh4" : "dense";
  shape.d_in = int64_t(model.shape.d_in);
  shape.d_out = int64_t(model.shape.d_out);
  shape.tables = int64_t(model.shape.tables);
  shape.bits = int64_t(model.shape.bits);
  shape.block = int64_t(model.shape.block);
  shape.repeats = int64_t(model.shape.repeats);
  const char* isa = nullptr;
  ASSERT_EQ(lookupffn_active_isa(&isa), LOOKUPFFN_OK) << lookupffn_last_message();

  ScratchFolder folder;
  KernelLibraryRequest request;
  request.specs = layer_kernels(shape, isa, with.table_type, with.projection_type);
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
    EXPECT_EQ(lookupffn_load_kernels(request.directory.c_str(), nullptr), LOOKUPFFN_OK)
        << lookupffn_last_message();
    return outputs(model, isa, with, provenance);
  };
  // The spaces alone, so that shipped records do not decide.
  const std::string spaces = folder.file("spaces");
  std::filesystem::create_directory(spaces);
  for (const char* kernel : {"hash", "gather"}) {
    const std::string file = std::string("/") + kernel + ".space.json";
    std::filesystem::copy_file(LOOKUPFFN_SCHEDULES + file, spaces + file);
  }
  const std::string suffix = std::string("_of_") + with.model + "_" + with.table_type + "_" + with.projection_type;
  const auto expected = build_and_run("default" + suffix, {spaces}, "[default]");

  std::mt19937 random(7);
  for (int sample = 0; sample < 2; ++sample) {
    const std::string tuned = folder.file("schedules" + std::to_string(sample));
    std::string text;
    for (const KernelSpec& spec : request.specs) {
      const ScheduleSpace space = ScheduleSpace::load(LOOKUPFFN_SCHEDULES, spec.kernel);
      const std::vector<Schedule> legal = space.enumerate(spec);
      ASSERT_FALSE(legal.empty());
      ScheduleRecord record;
      record.space_hash = space.content_hash();
      record.spec = spec;
      record.threads = this_machine().threads;
      record.schedule = legal[random() % legal.size()];
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

INSTANTIATE_TEST_SUITE_P(Models, SchedulePoints,
                         testing::Values(Case{"bh4_d256_t64_b8_repeat2", "f32", "f32"}, Case{"bh4_d192_t24_b7", "f32", "f32"},
                                         Case{"dense_d512_t16_b8", "f32", "f32"},
                                         // Sums of so few terms that LLVM unrolls them whole.
                                         Case{"dense_d8_t1_b1", "f32", "f32"}, Case{"bh4_d32_t6_b5_bf16_block1", "f32", "f32"},
                                         // On AMX and byte dot products, where this machine has them.
                                         Case{"bh4_d256_t64_b8_repeat2", "i8", "bf16x3"},
                                         Case{"dense_d512_t16_b8", "i8", "bf16"}),
                         [](const auto& info) {
                           return std::string(info.param.model) + "_" + info.param.table_type + "_" + info.param.projection_type;
                         });

}  // namespace
}  // namespace lookupffn
