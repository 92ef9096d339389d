// Schedules that a space calls legal give the bits of the default: whole training steps on kernels of a library, which come
// before the built-in ones.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "compiler_family.h"
#include "drawn_seed.h"
#include "generic_kernels.h"
#include "kernel_description.h"
#include "kernel_library.h"
#include "layer_check.h"
#include "machine.h"
#include "reference/random_numbers.h"
#include "schedule_record.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"
#include "training_step.h"

namespace lookupffn {
namespace {

using namespace checks;

// All that two steps of each shape and number of tokens write.
std::vector<float> results(const std::string& isa) {
  std::vector<float> all;
  // Rows that are no multiple of any tile, and rows that are one of all; panels of 16, 64 and many inputs.
  for (const char* shape :
       {"d_in=130 d_out=129 tables=9 bits=4 projection=dense", "d_in=256 d_out=512 tables=8 bits=5 projection=dense",
        "d_in=64 d_out=96 tables=20 bits=3 projection=bh4 block=16",
        "d_in=200 d_out=100 tables=9 bits=8 projection=bh4 block=64"}) {
    for (const size_t tokens : {1, 3, 150}) {
      reference::Layer layer = reference::random_layer(shape_from(shape), 1);
      const lookupffn_shape& of = layer.shape;
      const size_t rows = of.tables * of.rows;
      std::vector<float> mean(layer.table.size()), square(layer.table.size());
      std::vector<int32_t> steps(rows);
      std::vector<double> log_decay(rows);
      lookupffn_row_adam adam = {layer.table.data(),
                                 mean.data(),
                                 square.data(),
                                 steps.data(),
                                 log_decay.data(),
                                 rows,
                                 of.d_out,
                                 1e-2,
                                 0.9,
                                 0.999,
                                 1e-8,
                                 -1e-4};
      const std::vector<float> x = reference::random_tokens(tokens, of.d_in, 2);
      const std::vector<float> d_y = reference::RandomNumbers(3).normals(tokens * of.d_out, 1);
      for (int step = 0; step < 2; ++step) {
        for (const TableGradient kind : {TableGradient::kDense, TableGradient::kAdam}) {
          const StepResult one = run_step(layer, x, d_y, {isa, 2, kind, &adam, step * size_t{5}});
          const std::vector<const std::vector<float>*> parts = {
              &one.y,     &one.x,    &one.gamma,   &one.beta, &one.weight, &one.projection_bias,
              &one.table, &one.bias, &layer.table, &mean,     &square};
          for (const std::vector<float>* part : parts) {
            all.insert(all.end(), part->begin(), part->end());
          }
        }
      }
    }
  }
  return all;
}

void expect_the_defaults_bits(const std::string& isa, int samples, std::mt19937& random) {
  SCOPED_TRACE(isa + ", LOOKUPFFN_TEST_SEED=" + std::to_string(checks::drawn_seed()));
  const std::vector<float> expected = results(isa);
  const ScheduleSpaces spaces({LOOKUPFFN_SCHEDULES});
  ScratchFolder folder;
  KernelLibraryRequest request;
  request.specs = training_kernels(spaces, isa);
  request.generator = LOOKUPFFN_TEST_GENERATOR;
  request.sanitizer = LOOKUPFFN_TEST_SANITIZER;
  request.jobs = this_machine().threads;
  for (int sample = 0; sample < samples; ++sample) {
    request.name = "training_" + std::to_string(sample) + "_of_" + isa;
    request.directory = folder.file(request.name);
    const std::string tuned = folder.file("schedules" + std::to_string(sample));
    request.schedules_dirs = {tuned, LOOKUPFFN_SCHEDULES};
    std::string text;
    for (const KernelSpec& spec : request.specs) {
      ScheduleRecord record;
      record.spec = spec;
      record.threads = this_machine().threads;
      record.schedule = spaces.of(spec.kernel).sample(spec, 1, random()).at(0);
      record.provenance.cpu = this_machine().cpu;
      record.provenance.date = date_now();
      save_record(tuned, record);
      text += describe(spec) + ": " + canonical_text(record.schedule) + "\n";
    }
    const KernelLibraryResult result = build_kernel_library(request);
    EXPECT_EQ(result.tuned, request.specs.size());
    ASSERT_EQ(lookupffn_load_kernels(request.directory.c_str(), nullptr), LOOKUPFFN_OK) << lookupffn_last_message();
    for (const KernelSpec& spec : request.specs) {
      const std::string provenance = kernel_of_any_problem(spec.kernel.c_str(), isa.c_str()).provenance;
      EXPECT_NE(provenance.find("(this CPU)"), std::string::npos) << "not the registered one: " << provenance;
    }
    const std::vector<float> actual = results(isa);
    ASSERT_EQ(actual.size(), expected.size());
    EXPECT_EQ(std::memcmp(actual.data(), expected.data(), expected.size() * sizeof(float)), 0) << text;
  }
}

TEST(TrainingSchedules, DrawnOnesGiveTheDefaultsBits) {
  std::mt19937 random(checks::drawn_seed());
  for (const std::string& isa : runnable_isas()) expect_the_defaults_bits(isa, 2, random);
}

TEST(TrainingSchedulesSlow, DrawnOnesGiveTheDefaultsBits) {
  std::mt19937 random(checks::drawn_seed());
  for (const std::string& isa : runnable_isas()) expect_the_defaults_bits(isa, 12, random);
}

}  // namespace
}  // namespace lookupffn
