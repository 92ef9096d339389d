#include "generic_kernel_library.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "atomic_file.h"
#include "generator_command.h"
#include "json_fields.h"
#include "kernel_library.h"
#include "kernel_table.h"
#include "machine.h"
#include "measured_code.h"
#include "schedule_record.h"
#include "schedule_spaces.h"
#include "subprocess.h"
#include "target_tools.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

std::map<std::string, std::string> pairs_of(const nlohmann::json& object) {
  std::map<std::string, std::string> pairs;
  for (const auto& [name, value] : object.items()) pairs[name] = value.is_string() ? value.get<std::string>() : value.dump();
  return pairs;
}

// The problems that a kernel of the file is made for: the one that it names, or one for each type or stored form of weights.
std::vector<std::map<std::string, std::string>> problems_of(const nlohmann::json& kernel, const std::string& isa) {
  if (!kernel.contains("for_each")) return {pairs_of(kernel.value("problem", nlohmann::json::object()))};
  const std::string each = kernel.at("for_each");
  std::vector<std::map<std::string, std::string>> problems;
  if (each == "table_storage") {
    for (const Storage& storage : kStorages) {
      if (storage.role != WeightRole::kTables || !isa_has(isa, storage.needs)) continue;
      problems.push_back({{"table_type", storage.name}});
    }
    return problems;
  }
  if (each != "table_type" && each != "projection_type") throw std::runtime_error("for_each cannot be '" + each + "'");
  for (const std::string& type : weight_type_names(each == "table_type" ? WeightRole::kTables : WeightRole::kProjections)) {
    problems.push_back({{each, type}});
  }
  return problems;
}

// "multiple" is that of the stored form that the kernel is for.
std::map<std::string, std::string> schedule_of(const nlohmann::json& kernel,
                                               const std::map<std::string, std::string>& problem) {
  std::map<std::string, std::string> schedule = pairs_of(kernel.at("schedule"));
  for (auto& [name, value] : schedule) {
    if (value != "multiple") continue;
    const auto type = problem.find("table_type");
    const Storage* const storage = type == problem.end() ? nullptr : find_storage(type->second);
    if (!storage) throw std::runtime_error(name + " cannot be 'multiple': the kernel is not made for each table_storage");
    value = std::to_string(storage->multiple);
  }
  return schedule;
}

// The tokens of a kernel: those that it names, else those of the batch class of this name in the kernel's space.
void set_tokens(const nlohmann::json& kernel, const ScheduleSpaces& spaces, KernelSpec* spec) {
  if (kernel.contains("class_of")) {
    const ScheduleSpace::BatchClass& batch = spaces.of(kernel.at("class_of")).batch_class(spec->batch_class);
    spec->min_tokens = batch.min_tokens;
    spec->max_tokens = batch.max_tokens;
    return;
  }
  spec->min_tokens = kernel.value("min_tokens", spec->min_tokens);
  spec->max_tokens = kernel.value("max_tokens", spec->max_tokens);
}

struct GenericKernel {
  KernelTableEntry entry;
  ChosenSchedule chosen;
};

// The schedule that the file gives. Where it gives none, the kernel has a space, and is tuned as specialised kernels are.
void choose(const nlohmann::json& kernel, const std::string& schedules_dir, GenericKernel* generic) {
  KernelTableEntry& entry = generic->entry;
  if (kernel.contains("schedule")) {
    entry.schedule = schedule_of(kernel, entry.spec.problem);
    entry.provenance = "default";
    return;
  }
  // Records of this CPU come first where a kernel is made for it. The library is for any, whichever builds it.
  generic->chosen = choose_schedule({schedules_dir}, entry.spec, Machine());
  entry.schedule = generic->chosen.schedule;
  entry.provenance = generic->chosen.provenance;
}

std::vector<GenericKernel> generic_kernels_of(const GenericKernelBuild& build) {
  std::vector<GenericKernel> kernels;
  const ScheduleSpaces spaces({build.schedules_dir});
  for (const std::string& folder : space_folders(build.schedules_dir)) {
    const std::string path = folder + "/generic.json";
    if (!std::filesystem::exists(path)) continue;
    try {
      const nlohmann::json registry = parse_json(read_file(path));
      for (const std::string& isa : build.isas) {
        for (const nlohmann::json& kernel : registry.at("kernels")) {
          for (const std::map<std::string, std::string>& problem : problems_of(kernel, isa)) {
            KernelTableEntry entry;
            entry.spec = {kernel.at("kernel"), isa, kernel.at("batch_class"), problem, 0, UINT32_MAX};
            set_tokens(kernel, spaces, &entry.spec);
            entry.function_name = kernel_function_name("lookupffn", entry.spec);
            GenericKernel generic{entry, {}};
            choose(kernel, build.schedules_dir, &generic);
            kernels.push_back(generic);
          }
        }
      }
    } catch (const std::exception& problem) {
      throw std::runtime_error(path + ": " + problem.what());
    }
  }
  if (kernels.empty()) throw std::runtime_error(build.schedules_dir + ": no generic.json in it or in a family's folder");
  return kernels;
}

void check(const ProcessResult& process, const std::string& what) {
  if (!process.ok()) throw std::runtime_error(what + " failed: " + process.what_happened() + ": " + process.err);
}

}  // namespace

void build_generic_kernels(const GenericKernelBuild& build) {
  std::vector<GenericKernel> kernels = generic_kernels_of(build);
  std::vector<std::string> objects(kernels.size());
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::string error;
  std::vector<std::thread> workers;
  for (int w = 0; w < build.jobs; ++w) {
    workers.emplace_back([&] {
      for (size_t i; (i = next++) < kernels.size();) {
        KernelTableEntry& entry = kernels[i].entry;
        const GeneratedKernel kernel =
            generate_kernel(build.generator, entry.spec, entry.schedule, entry.function_name, build.out_dir, build.sanitizer);
        if (kernel.ok && !kernels[i].chosen.record_path.empty()) {
          entry.provenance += code_remark(compare_code(kernels[i].chosen, entry.spec, kernel.object, build.sanitizer));
        }
        std::lock_guard<std::mutex> lock(mutex);
        objects[i] = kernel.object;
        if (!kernel.ok && error.empty()) error = kernel.error;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  if (!error.empty()) throw std::runtime_error(error);

  std::vector<KernelTableEntry> entries;
  for (const GenericKernel& kernel : kernels) entries.push_back(kernel.entry);
  write_file_atomically(build.out_dir + "/generic_kernels.c", kernel_table_source("lookupffn_generic", entries));
  // The ISAs of a library are of one architecture.
  std::vector<std::string> link = target_tools(isa_row(build.isas.at(0)).architecture).compiler;
  link.insert(link.end(), {"-r", "-nostdlib", "-o", build.out_dir + "/generic_kernels.o"});
  link.insert(link.end(), objects.begin(), objects.end());
  check(run_process(link, {}), "linking the generic kernels");
}

}  // namespace lookupffn
