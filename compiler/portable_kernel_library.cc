#include "portable_kernel_library.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "atomic_file.h"
#include "generator_command.h"
#include "kernel_table.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

std::map<std::string, std::string> pairs_of(const nlohmann::json& object) {
  std::map<std::string, std::string> pairs;
  for (const auto& [name, value] : object.items())
    pairs[name] = value.is_string() ? value.get<std::string>() : value.dump();
  return pairs;
}

bool names(const nlohmann::json& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::vector<KernelTableEntry> portable_entries(const PortableKernelBuild& build) {
  const std::string path = build.schedules_dir + "/portable.json";
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<KernelTableEntry> entries;
  try {
    const nlohmann::json registry = nlohmann::json::parse(file);
    for (const std::string& isa : build.isas) {
      for (const nlohmann::json& kernel : registry.at("kernels")) {
        if (kernel.contains("isas") && !names(kernel.at("isas"), isa)) continue;
        for (const nlohmann::json& problem : kernel.at("problems")) {
          KernelTableEntry entry;
          entry.spec = {kernel.at("kernel"), isa, kernel.at("batch_class"), pairs_of(problem)};
          entry.schedule = pairs_of(kernel.at("schedule"));
          entry.provenance = "default";
          entry.function_name = kernel_function_name("lookupffn", entry.spec);
          entries.push_back(entry);
        }
      }
    }
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(path + ": " + error.what());
  }
  return entries;
}

void check(const ProcessResult& process, const std::string& what) {
  if (!process.ok())
    throw std::runtime_error(what + " failed: " + process.what_happened() + ": " + process.err);
}

}  // namespace

void build_portable_kernels(const PortableKernelBuild& build) {
  const std::vector<KernelTableEntry> entries = portable_entries(build);
  std::vector<std::string> objects(entries.size());
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::string error;
  std::vector<std::thread> workers;
  for (int w = 0; w < build.jobs; ++w) {
    workers.emplace_back([&] {
      for (size_t i; (i = next++) < entries.size();) {
        const GeneratedKernel kernel =
            generate_kernel(build.generator, entries[i].spec, entries[i].schedule, entries[i].function_name,
                            build.out_dir, build.sanitizer);
        std::lock_guard<std::mutex> lock(mutex);
        objects[i] = kernel.object;
        if (!kernel.ok && error.empty()) error = kernel.error;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  if (!error.empty()) throw std::runtime_error(error);

  write_file_atomically(build.out_dir + "/portable_kernels.c",
                        kernel_table_source("lookupffn_portable", entries));
  std::vector<std::string> link = {"cc", "-r", "-nostdlib", "-o", build.out_dir + "/portable_kernels.o"};
  link.insert(link.end(), objects.begin(), objects.end());
  check(run_process(link, {}), "linking the portable kernels");
}

}  // namespace lookupffn
