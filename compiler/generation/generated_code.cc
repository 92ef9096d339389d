#include "generated_code.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "content_hash.h"
#include "generator_command.h"

namespace lookupffn {
namespace {

constexpr double kTimeLimit = 600;  // seconds, for one kernel

}  // namespace

void generate_each(const std::string& generator, const std::vector<ScheduledKernel>& kernels, const std::string& directory,
                   int jobs, const std::function<void(size_t i, const std::string& object, const std::string& error)>& found) {
  namespace fs = std::filesystem;
  std::atomic<size_t> next{0};
  std::mutex mutex;
  const auto work = [&] {
    for (size_t i = next++; i < kernels.size(); i = next++) {
      const ScheduledKernel& kernel = kernels[i];
      // A folder each: two may differ in nothing that the name says.
      const std::string folder = directory + "/generated" + std::to_string(i);
      std::error_code ignored;
      fs::create_directory(folder, ignored);
      const std::string name = kernel_function_name("code_" + content_hash(canonical_text(kernel.schedule)), kernel.spec);
      const GeneratedKernel made = generate_kernel(generator, kernel.spec, kernel.schedule, name, folder, "", kTimeLimit);
      {
        const std::lock_guard<std::mutex> lock(mutex);
        found(i, made.ok ? made.object : "", made.error);
      }
      fs::remove_all(folder, ignored);
    }
  };
  std::vector<std::thread> threads;
  const size_t count = std::min(size_t(std::max(1, jobs)), kernels.size());
  for (size_t i = 1; i < count; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace lookupffn
