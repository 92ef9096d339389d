// What families tell the offline tools of their kernels, over every workload, ISA and type.
#include "kernel_description.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "bag_work.h"
#include "compiler_family.h"
#include "isas.h"
#include "weight_types.h"
#include "workload.h"

namespace lookupffn {
namespace {

const ScheduleSpaces& spaces() {
  static const ScheduleSpaces all({LOOKUPFFN_SCHEDULES});
  return all;
}

void for_each_kernel(const std::function<void(const KernelSpec&)>& check) {
  // What no workload has: a hash without LayerNorm, and leaves with networks.
  std::vector<LayerShape> shapes = {parse_layer_shape("family=memoryformer d_in=512 tables=64 bits=8 projection=dense"),
                                    parse_layer_shape("family=fff d_in=64 rows=8 block=32")};
  for (const Workload& workload : workloads()) shapes.push_back(workload.shape);
  for (const LayerShape& shape : shapes) {
    for (const IsaRow& isa : kIsas) {
      for (const std::string& table : weight_type_names(WeightRole::kTables)) {
        for (const std::string& projection : weight_type_names(WeightRole::kProjections)) {
          for (const KernelSpec& spec : layer_kernels(spaces(), shape, isa.name, table, projection)) check(spec);
        }
      }
    }
  }
}

TEST(KernelDescription, EveryFamilyHasWorkloadsAndDescribesItsKernels) {
  for (const CompilerFamily* family : compiler_families()) {
    EXPECT_FALSE(family->workloads.empty()) << family->name;
    EXPECT_FALSE(family->descriptions.empty()) << family->name;
  }
  const std::vector<std::string> names = kernel_names();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size()) << "two kernels have one name";
  KernelSpec none;
  none.kernel = "nosuch";
  EXPECT_EQ(find_kernel_description(none), nullptr);
  EXPECT_THROW(kernel_description(none), std::runtime_error);
}

// Tables and projections of a type may be stored differently: no kernel is made for the form of the other.
TEST(KernelDescription, TypesOfTablesAndProjectionsAreTheirOwnForms) {
  std::set<std::string> forms_seen;
  for_each_kernel([&](const KernelSpec& spec) {
    for (const auto& [name, role] :
         {std::pair("table_type", WeightRole::kTables), {"projection_type", WeightRole::kProjections}}) {
      const auto type = spec.problem.find(name);
      if (type == spec.problem.end()) continue;
      EXPECT_TRUE(serves(weight_type_of(type->second), role)) << describe(spec);
      if (const Storage* form = find_storage(type->second)) {
        EXPECT_EQ(int(form->role), int(role)) << describe(spec);
        forms_seen.insert(form->name);
      }
    }
  });
  for (const Storage& form : kStorages) EXPECT_EQ(forms_seen.count(form.name), 1u) << "no kernel for " << form.name;
}

// What a kernel is measured in calls it, and measuring it there is measuring the same problem.
TEST(KernelDescription, TheSmallestLayerCallsTheKernel) {
  std::set<std::string> kernels_seen;
  for_each_kernel([&](const KernelSpec& spec) {
    kernels_seen.insert(spec.kernel);
    const TypedShape layer = kernel_description(spec).smallest_layer(spec);
    EXPECT_EQ(parse_layer_shape(describe(layer.shape)), layer.shape) << describe(layer.shape);
    const std::vector<KernelSpec> kernels =
        layer_kernels(spaces(), layer.shape, spec.isa, layer.table_type, layer.projection_type);
    EXPECT_NE(std::find(kernels.begin(), kernels.end(), spec), kernels.end())
        << describe(spec) << " in " << describe(layer.shape);
    // A hash without LayerNorm is MemoryFormer's alone.
    EXPECT_EQ(layer.shape.family == "memoryformer", spec.problem.count("norm") > 0 || spec.kernel == "code_and_score")
        << describe(spec);
  });
  for (const KernelSpec& spec : training_kernels(spaces(), "avx2")) {
    EXPECT_EQ(kernels_seen.count(spec.kernel), 0u) << spec.kernel;
    kernels_seen.insert(spec.kernel);
    const LayerShape shape = kernel_description(spec).smallest_layer(spec).shape;
    EXPECT_EQ(parse_layer_shape(describe(shape)), shape) << describe(shape);
  }
  EXPECT_EQ(kernels_seen.size(), kernel_names().size());
}

TEST(KernelDescription, WorkIsCounted) {
  const auto check = [](const KernelSpec& spec) {
    const Work work = kernel_work(spec);
    EXPECT_GT(work.flops, 0) << describe(spec);
    // An addresser may read nothing but its input.
    if (kernel_description(spec).part == LayerPart::kRetriever) {
      EXPECT_GT(work.row_bytes + work.weight_bytes, 0) << describe(spec);
    }
    EXPECT_GE(work.footprint_bytes, std::max(work.row_bytes, work.weight_bytes)) << describe(spec);
  };
  for_each_kernel(check);
  for (const KernelSpec& spec : training_kernels(spaces(), "avx2")) check(spec);
}

// The search starts from these estimates: every kernel has one, and it tells schedules apart.
TEST(KernelDescription, CostTellsSchedulesApart) {
  std::set<std::string> kernels;
  for_each_kernel([&](const KernelSpec& spec) {
    const KernelDescription& description = kernel_description(spec);
    ASSERT_NE(description.cost, nullptr) << spec.kernel;
    if (spec.isa != std::string("avx2") || !kernels.insert(spec.kernel + spec.batch_class).second) return;
    std::set<double> costs;
    for (const Schedule& schedule : spaces().of(spec.kernel).enumerate(spec, 100)) {
      const double cost = description.cost(spec, schedule, double(std::max(1u, unsigned(spec.min_tokens))), CacheSizes());
      EXPECT_TRUE(std::isfinite(cost) && cost > 0) << describe(spec) << ": " << cost;
      costs.insert(cost);
    }
    EXPECT_GT(costs.size(), 1u) << describe(spec);
  });
  EXPECT_GE(kernels.size(), kernel_names().size() - 1) << "leaves of trees have no workload";
}

// The products of the formulas, two flops each, counted by hand.
TEST(LayerWork, OfLookupffnCountsTheFormulas) {
  const LayerWork small = layer_work({parse_layer_shape("d_in=512 tables=128 bits=8 block=64")});
  EXPECT_EQ(small.addresser.flops, 2.0 * 2 * 4 * 512 * 64) << "two repeats of four stages";
  EXPECT_EQ(small.retriever.flops, 2.0 * 128 * 512);
  EXPECT_EQ(small.retriever.row_bytes, 128.0 * 512 * 4);
  EXPECT_EQ(small.retriever.footprint_bytes, 128.0 * 256 * 512 * 4);
  // 768 inputs are padded to 1024: the first stage multiplies no padding, though its weights are in the file.
  const LayerWork base = layer_work({parse_layer_shape("d_in=768 tables=128 bits=8 block=64")});
  EXPECT_EQ(base.addresser.flops, 2.0 * 64 * (768 + 3 * 1024));
  EXPECT_EQ(base.addresser.weight_bytes, 4.0 * 64 * (768 + 3 * 1024));
  EXPECT_EQ(base.addresser.footprint_bytes, 4.0 * 64 * 4 * 1024);
  const LayerWork dense = layer_work({parse_layer_shape("d_in=512 tables=64 bits=8 projection=dense"), "i8", "bf16"});
  EXPECT_EQ(dense.addresser.flops, 2.0 * 512 * 64 * 8);
  EXPECT_EQ(dense.addresser.weight_bytes, 2.0 * 512 * 64 * 8);
  EXPECT_EQ(dense.retriever.row_bytes, 64.0 * (512 + 4)) << "with a scale a row";
  // A bag, which is what is timed.
  const LayerWork bag = layer_work({parse_layer_shape("family=embedding_bag rows=1000 d_out=64"), "i8"});
  EXPECT_EQ(bag.ids, double(kIdsOfBag));
  EXPECT_EQ(bag.retriever.flops, bag.ids * 2 * 64);
  EXPECT_EQ(bag.retriever.row_bytes, bag.ids * (64 + 4));
  EXPECT_EQ(bag.retriever.footprint_bytes, 1000.0 * (64 + 4));
  const LayerShape shape = parse_layer_shape("d_in=768 d_out=512 tables=128 bits=8 block=64");
  EXPECT_EQ(dense_ffn_work(shape, "f32").flops, 2.0 * (768 * 3072 + 3072 * 512));
}

}  // namespace
}  // namespace lookupffn
