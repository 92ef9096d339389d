// The program `lookupffn` from outside: what it prints, what it exits with, and that each failure is one line.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <list>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compiler_family.h"
#include "golden.h"
#include "isas.h"
#include "lookupffn_formulas.h"
#include "plain_layer.h"
#include "reference/random_numbers.h"
#include "safetensors.h"
#include "safetensors_writer.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

const std::string kFolder = std::string(LOOKUPFFN_TEST_DATA) + "/golden";
const std::string kModel = kFolder + "/dense_d100_t5_b10.model.safetensors";
const std::string kIo = kFolder + "/dense_d100_t5_b10.io.safetensors";
const std::string kBh4 = kFolder + "/bh4_d64_t40_b4";
const std::string kOtherIo = kFolder + "/bh4_d512_t8_b8.io.safetensors";

ProcessResult tool(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), LOOKUPFFN_TEST_TOOL);
  ProcessOptions options;
  options.time_limit_seconds = 120;
  options.environment = {{"LOOKUPFFN_ISA", ""}};
  return run_process(arguments, options);
}

// One line on stderr that names all of `named`, nothing on stdout, and a status that is not 0.
void expect_error(const std::vector<std::string>& arguments, const std::vector<std::string>& named) {
  const ProcessResult result = tool(arguments);
  SCOPED_TRACE(result.err);
  ASSERT_EQ(result.end, ProcessResult::End::kExited) << result.what_happened();
  EXPECT_NE(result.exit_status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << "lines";
  for (const std::string& name : named) {
    EXPECT_NE(result.err.find(name), std::string::npos) << "does not name '" << name << "'";
  }
}

// The same where the command line itself is wrong: the parser adds where to find help.
void expect_usage_error(const std::vector<std::string>& arguments, const std::vector<std::string>& named) {
  const ProcessResult result = tool(arguments);
  SCOPED_TRACE(result.err);
  ASSERT_EQ(result.end, ProcessResult::End::kExited) << result.what_happened();
  EXPECT_NE(result.exit_status, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_LE(std::count(result.err.begin(), result.err.end(), '\n'), 2) << "lines";
  for (const std::string& name : named) {
    EXPECT_NE(result.err.find(name), std::string::npos) << "does not name '" << name << "'";
  }
}

nlohmann::json json_of(const std::vector<std::string>& arguments) {
  const ProcessResult result = tool(arguments);
  EXPECT_TRUE(result.ok()) << result.what_happened() << ": " << result.err;
  EXPECT_EQ(result.err, "");
  return nlohmann::json::parse(result.out);
}

const char* const kCommands[] = {"isas", "types", "inspect", "verify", "run", "build", "schedules", "tune"};

TEST(Tool, EveryCommandHasHelp) {
  const ProcessResult all = tool({"--help"});
  EXPECT_TRUE(all.ok());
  for (const std::string command : kCommands) {
    EXPECT_NE(all.out.find("\n  " + command), std::string::npos) << all.out;
    const ProcessResult result = tool({command, "--help"});
    EXPECT_TRUE(result.ok()) << result.what_happened();
    EXPECT_EQ(result.err, "");
    EXPECT_NE(result.out.find(command), std::string::npos);
    EXPECT_GT(result.out.size(), 100u) << result.out;
  }
}

TEST(Tool, Version) {
  const ProcessResult result = tool({"--version"});
  EXPECT_TRUE(result.ok());
  EXPECT_NE(result.out.find(lookupffn_version()), std::string::npos) << result.out;
}

TEST(Tool, BadCommandLines) {
  expect_usage_error({}, {"subcommand"});
  expect_usage_error({"fly"}, {"fly"});
  expect_usage_error({"isas", "--fast"}, {"--fast"});
  expect_usage_error({"inspect"}, {"model"});
  expect_usage_error({"verify"}, {"model"});
  expect_usage_error({"verify", kModel, ""}, {"io"});
  expect_usage_error({"verify", kModel, kIo, "--kernels", "magic"}, {"--kernels", "magic"});
  expect_usage_error({"verify", kModel, kIo, "--table-type", "f16"}, {"--table-type", "f16"});
  expect_usage_error({"verify", kModel, kIo, "--threads", "-1"}, {"--threads"});
  expect_usage_error({"verify", kModel, kIo, "--threads", "many"}, {"--threads", "many"});
  expect_usage_error({"run", kModel, "--input", kIo}, {"--output"});
  expect_usage_error({"build", kModel, "--isa", "avx2"}, {"--out"});
}

TEST(Tool, Isas) {
  const nlohmann::json list = json_of({"isas", "--json"});
  ASSERT_TRUE(list.is_array());
  size_t active = 0;
  for (const auto& isa : list) active += isa.at("active").get<bool>();
  EXPECT_EQ(active, 1u);
  const ProcessResult table = tool({"isas"});
  EXPECT_TRUE(table.ok());
  for (const auto& isa : list) EXPECT_NE(table.out.find(isa.at("name").get<std::string>()), std::string::npos);
}

TEST(Tool, Types) {
  const nlohmann::json list = json_of({"types", "--json"});
  const ProcessResult table = tool({"types"});
  EXPECT_TRUE(table.ok());
  ASSERT_FALSE(list.empty());
  for (const auto& type : list) {
    EXPECT_NE(table.out.find(type.at("description").get<std::string>()), std::string::npos);
    EXPECT_TRUE(type.at("for_tables").get<bool>() || type.at("for_projections").get<bool>());
  }
}

// Of each kernel of the model's layer, the legal schedules of its space.
TEST(Tool, SchedulesPoints) {
  const std::string model = kBh4 + ".model.safetensors";
  const std::vector<std::string> arguments = {"schedules", "--points", model, "--isa", "avx2", "--table-type", "f32,i8"};
  const ScheduleSpaces spaces({LOOKUPFFN_SCHEDULES});
  const LayerShape shape = parse_layer_shape("d_in=64 tables=40 bits=4 block=16");
  std::map<std::string, size_t> expected;
  for (const char* type : {"f32", "i8"}) {
    for (const KernelSpec& spec : layer_kernels(spaces, shape, "avx2", type, "f32")) {
      expected[describe(spec)] = spaces.of(spec.kernel).enumerate(spec).size();
    }
  }
  const ProcessResult result = tool(arguments);
  ASSERT_TRUE(result.ok()) << result.err;
  for (const auto& [kernel, points] : expected) {
    EXPECT_NE(result.out.find(kernel + ": " + std::to_string(points) + " points\n"), std::string::npos) << result.out;
  }
  EXPECT_EQ(size_t(std::count(result.out.begin(), result.out.end(), '\n')), expected.size());
  std::vector<std::string> as_json = arguments;
  as_json.push_back("--json");
  const nlohmann::json list = json_of(as_json);
  ASSERT_EQ(list.size(), expected.size());
  for (const auto& entry : list) {
    const KernelSpec spec{entry.at("kernel"), entry.at("isa"), entry.at("batch_class"), entry.at("problem"), 0, 0};
    EXPECT_EQ(entry.at("points"), expected.at(describe(spec)));
  }
  EXPECT_TRUE(tool({"schedules", "--points", "small512_t64", "--isa", "sse41"}).ok());
  const std::vector<KernelSpec> of_training = training_kernels(spaces, "avx2");
  const nlohmann::json training = json_of({"schedules", "--points", "training", "--isa", "avx2", "--json"});
  ASSERT_EQ(training.size(), of_training.size());
  for (size_t i = 0; i < of_training.size(); ++i) {
    EXPECT_EQ(training[i].at("kernel"), of_training[i].kernel);
    EXPECT_EQ(training[i].at("points"), spaces.of(of_training[i].kernel).legal_count(of_training[i]));
  }
  expect_error({"schedules", "--points", "/nonexistent/m.safetensors"}, {"/nonexistent/m.safetensors"});
  expect_error({"schedules", "--points", "fast"}, {"fast", "small512_t128"});
  expect_usage_error({"schedules", "--table-type", "i8"}, {"--points"});
}

TEST(Tool, Inspect) {
  const nlohmann::json json = json_of({"inspect", kModel, "--json"});
  const nlohmann::json& layers = json.is_array() ? json : json.at("layers");
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_EQ(layers[0].at("d_in"), 100);
  EXPECT_EQ(layers[0].at("tables"), 5);
  EXPECT_EQ(layers[0].at("bits"), 10);
  EXPECT_TRUE(tool({"inspect", kModel}).ok());
  expect_error({"inspect", "/nonexistent/m.safetensors"}, {"/nonexistent/m.safetensors"});
  expect_error({"inspect", kIo}, {kIo});
}

TEST(Tool, Verify) {
  const nlohmann::json json = json_of({"verify", kModel, kIo, "--json"});
  EXPECT_EQ(json.at("ok"), true);
  EXPECT_EQ(json.at("judged").at("tokens"), json.at("tokens"));
  EXPECT_GT(json.at("judged").at("values"), 0);
  const nlohmann::json bf16 =
      json_of({"verify", kBh4 + ".model.safetensors", kBh4 + ".io.safetensors", "--json", "--projection-type", "bf16"});
  EXPECT_EQ(bf16.at("ok"), true);
  EXPECT_EQ(bf16.at("code").at("wrong"), 0);
  EXPECT_EQ(bf16.at("file").at("code").at("wrong"), 0);
  EXPECT_GT(bf16.at("codes_changed_by_rounding"), 0);
  for (const char* type : {"f32", "bf16", "i8", "i4"}) {
    const ProcessResult result = tool({"verify", kModel, kIo, "--table-type", type, "--threads", "3"});
    EXPECT_TRUE(result.ok()) << result.out << result.err;
  }
  expect_error({"verify", "/nonexistent/m.safetensors", kIo}, {"/nonexistent/m.safetensors"});
  expect_error({"verify", kModel, "/nonexistent/io.safetensors"}, {"/nonexistent/io.safetensors"});
  expect_error({"verify", kModel, kOtherIo}, {kOtherIo, "[65, 8]", "5"});
  expect_error({"verify", kModel, kModel}, {kModel, "code"});
  expect_error({"verify", kModel}, {kModel, "code"});
  expect_error({"verify", kModel, kIo, "--prefix", "nope."}, {"nope."});
  expect_error({"verify", kModel, kIo, "--isa", "sse5"}, {"sse5"});
  expect_error({"verify", kModel, kIo, "--library", "/nonexistent/kernels"}, {"/nonexistent/kernels"});
  expect_error({"verify", kModel, kIo, "--kernels", "specialised"}, {"lookupffn build"});
}

// A wrong result must be told from a right one: the same io with one value off by more than it may be.
TEST(Tool, VerifyFindsWhatIsWrong) {
  const ScratchFolder folder;
  const reference::Golden golden = reference::read_golden(kFolder, "dense_d100_t5_b10");
  const size_t tokens = golden.tokens;
  const auto write = [&](const reference::Golden& io) {
    const std::string path = folder.file("io.safetensors");
    write_safetensors(path, {{"x", ElementType::kF32, {tokens, 100}, io.x.data()},
                             {"z", ElementType::kF32, {tokens, 5, 10}, io.z.data()},
                             {"code", ElementType::kI32, {tokens, 5}, io.code.data()},
                             {"score", ElementType::kF32, {tokens, 5}, io.score.data()},
                             {"y", ElementType::kF32, {tokens, io.y.size() / tokens}, io.y.data()}});
    return path;
  };
  EXPECT_TRUE(tool({"verify", kModel, write(golden)}).ok());
  reference::Golden code = golden, score = golden, y = golden;
  code.code[7] ^= 1;
  score.score[7] += 0.01f;
  y.y.back() += 0.01f;
  for (const reference::Golden* wrong : {&code, &score, &y}) {
    const ProcessResult result = tool({"verify", kModel, write(*wrong)});
    EXPECT_EQ(result.exit_status, 1) << result.out << result.err;
    EXPECT_NE(result.out.find("OUT OF TOLERANCE"), std::string::npos) << result.out;
  }
  y.y.back() = std::nanf("");
  EXPECT_NE(tool({"verify", kModel, write(y)}).exit_status, 0);
  code.code[7] = 1 << 10;
  expect_error({"verify", kModel, write(code)}, {"code", "1024"});
}

TEST(Tool, Run) {
  const ScratchFolder folder;
  const std::string output = folder.file("y.safetensors");
  const ProcessResult result = tool({"run", kModel, "--prefix", "", "--input", kIo, "--output", output});
  ASSERT_TRUE(result.ok()) << result.what_happened() << result.err;
  const reference::Golden golden = reference::read_golden(kFolder, "dense_d100_t5_b10");
  const SafetensorsFile file(output);
  const TensorView* y = file.find("y");
  ASSERT_NE(y, nullptr);
  EXPECT_EQ(y->shape, (std::vector<size_t>{golden.tokens, golden.y.size() / golden.tokens}));
  std::vector<float> values(y->elements());
  read_floats(*y, 0, values.size(), values.data());
  for (size_t k = 0; k < values.size(); ++k) ASSERT_NEAR(values[k], golden.y[k], 1e-3) << k;

  expect_error({"run", "/nonexistent/m.safetensors", "--input", kIo, "--output", output}, {"/nonexistent/m.safetensors"});
  expect_error({"run", kModel, "--input", "/nonexistent/x.safetensors", "--output", output}, {"/nonexistent/x.safetensors"});
  expect_error({"run", kModel, "--input", kOtherIo, "--output", output}, {kOtherIo, "x", "100"});
  expect_error({"run", kModel, "--input", kIo, "--output", "/nonexistent/y.safetensors"}, {"/nonexistent/y.safetensors"});
  expect_error({"run", kModel, "--input", kIo, "--output", folder.path()}, {folder.path()});
  expect_error({"run", kModel, "--prefix", "nope.", "--input", kIo, "--output", output}, {"nope."});
  // Nothing is left beside the output.
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) files += entry.exists();
  EXPECT_EQ(files, 1u);
}

// Model, inputs and expected results in one file; of several layers, each with results of its own under its prefix.
TEST(Tool, VerifyOfACase) {
  const ScratchFolder folder;
  const reference::Layer layer = reference::random_layer(reference::dense_shape(20, 12, 6, 4), 1);
  const reference::Layer other = reference::random_layer(reference::bh4_shape(20, 12, 6, 4, 8), 2);
  const auto write = [&](bool second_too, float error) {
    std::list<std::vector<float>> values;
    std::list<std::vector<int32_t>> codes;
    const std::string path = folder.file("case.safetensors");
    const std::vector<uint8_t> bytes = reference::model_bytes({{"a.", &layer}, {"b.", &other}}, ElementType::kF32);
    const SafetensorsFile model(bytes.data(), bytes.size(), "model");
    std::vector<TensorSource> tensors;
    for (const TensorView& view : model.tensors()) {
      values.emplace_back(view.elements());
      read_floats(view, 0, view.elements(), values.back().data());
      tensors.push_back({view.name, ElementType::kF32, view.shape, values.back().data()});
    }
    for (const auto& [prefix, of] : {std::pair<std::string, const reference::Layer*>{"a.", &layer}, {"b.", &other}}) {
      if (prefix == "b." && !second_too) continue;
      const std::vector<float> x = reference::random_tokens(3, 20, 7);
      const reference::Result right = reference::forward(*of, x);
      values.push_back(x);
      tensors.push_back({prefix + "x", ElementType::kF32, {3, 20}, values.back().data()});
      values.emplace_back(right.z.begin(), right.z.end());
      tensors.push_back({prefix + "z", ElementType::kF32, {3, 6, 4}, values.back().data()});
      codes.push_back(right.code);
      tensors.push_back({prefix + "code", ElementType::kI32, {3, 6}, codes.back().data()});
      values.emplace_back(right.score.begin(), right.score.end());
      tensors.push_back({prefix + "score", ElementType::kF32, {3, 6}, values.back().data()});
      values.emplace_back(right.y.begin(), right.y.end());
      if (prefix == "b.") values.back()[5] += error;
      tensors.push_back({prefix + "y", ElementType::kF32, {3, 12}, values.back().data()});
    }
    write_safetensors(path, tensors);
    return path;
  };
  const nlohmann::json both = json_of({"verify", write(true, 0), "--json"});
  EXPECT_EQ(both.at("ok"), true);
  ASSERT_EQ(both.at("layers").size(), 2u);
  EXPECT_EQ(both.at("layers")[1].at("prefix"), "b.");
  const ProcessResult wrong = tool({"verify", write(true, 0.1f)});
  EXPECT_EQ(wrong.exit_status, 1);
  EXPECT_NE(wrong.out.find("\nok\n"), std::string::npos) << wrong.out;
  EXPECT_NE(wrong.out.find("OUT OF TOLERANCE"), std::string::npos) << wrong.out;
  EXPECT_TRUE(tool({"verify", write(true, 0.1f), "--prefix", "a."}).ok());
  // Without results of its own a layer is passed over, unless it is asked for.
  EXPECT_EQ(json_of({"verify", write(false, 0), "--json"}).at("prefix"), "a.");
  expect_error({"verify", write(false, 0), "--prefix", "b."}, {"'code'"});
}

TEST(Tool, RunRefusesAnInputOfTheWrongType) {
  const ScratchFolder folder;
  const std::vector<int32_t> x(200);
  const std::string input = folder.file("x.safetensors");
  write_safetensors(input, {{"x", ElementType::kI32, {2, 100}, x.data()}});
  expect_error({"run", kModel, "--input", input, "--output", folder.file("y")}, {input, "x"});
}

TEST(Tool, Build) {
  const ScratchFolder folder;
  expect_error({"build", "/nonexistent/m.safetensors", "--isa", "avx2", "--out", folder.file("k")},
               {"/nonexistent/m.safetensors"});
  expect_error({"build", "--shape", "d_in=5", "--isa", "avx2", "--out", folder.file("k")}, {"tables"});
  expect_error({"build", "--isa", "avx2", "--out", folder.file("k")}, {"--shape"});
  expect_error({"build", kModel, "--isa", "sse5", "--out", folder.file("k")}, {"sse5"});
  for (const IsaRow& isa : kIsas) {
    if (isa.oldest_halide <= LOOKUPFFN_TEST_HALIDE) continue;
    expect_error({"build", kModel, "--isa", isa.name, "--out", folder.file("k")},
                 {isa.name, "Halide " + std::to_string(isa.oldest_halide), "Debian 13"});
  }
  expect_error({"build", kModel, "--isa", "avx2", "--out", folder.file("k"), "--generator", "/nonexistent/generators"},
               {"/nonexistent/generators"});
  EXPECT_FALSE(std::filesystem::exists(folder.file("k"))) << "left by a failed build";
}

}  // namespace
}  // namespace lookupffn
