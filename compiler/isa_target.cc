#include "isa_target.h"

#include <cstdint>
#include <stdexcept>

namespace lookupffn {
namespace {

struct Isa {
  const char* name;
  const char* features;
  int vector_bytes, vector_registers;
};

// Every feature is spelled out: Halide 14 and later differ in which imply which.
const Isa kIsas[] = {
    {"sse41", "sse41", 16, 16},
    {"avx2", "avx-avx2-f16c-fma-sse41", 32, 16},
    {"avx512", "avx-avx2-avx512-avx512_skylake-f16c-fma-sse41", 64, 32},
    {"avx512_bf16", "avx-avx2-avx512-avx512_cannonlake-avx512_sapphirerapids-avx512_skylake-f16c-fma-sse41",
     64, 32},
    {"avx512_amx", "avx-avx2-avx512-avx512_cannonlake-avx512_sapphirerapids-avx512_skylake-f16c-fma-sse41",
     64, 32},
};

}  // namespace

const std::vector<std::string>& isa_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Isa& isa : kIsas) list.push_back(isa.name);
    return list;
  }();
  return names;
}

IsaTarget isa_target(const std::string& name, const std::string& sanitizer) {
  std::string instrumentation;
  if (sanitizer == "address") {
    instrumentation = "-asan";
  } else if (sanitizer == "thread") {
    instrumentation = "-tsan";
  } else if (!sanitizer.empty() && sanitizer != "undefined") {
    throw std::runtime_error("unknown sanitizer '" + sanitizer +
                             "'; there are address, thread and undefined");
  }
  for (const Isa& isa : kIsas) {
    if (name == isa.name) {
      return {isa.name,
              std::string("x86-64-linux-") + isa.features + instrumentation +
                  "-no_asserts-no_bounds_query-no_runtime",
              isa.vector_bytes, isa.vector_registers};
    }
  }
  std::string known;
  for (const std::string& isa : isa_names()) known += (known.empty() ? "" : ", ") + isa;
  throw std::runtime_error("no kernels can be generated for ISA '" + name + "'; there are " + known);
}

std::string halide_target(const KernelSpec& spec, const std::string& sanitizer) {
  std::string target = isa_target(spec.isa, sanitizer).halide_target;
  const auto number = [&](const char* name) {
    const auto at = spec.problem.find(name);
    return at == spec.problem.end() ? 0.0 : std::stod(at->second);
  };
  if (spec.kernel == "gather") {
    const std::string& type = spec.problem.at("table_type");
    const double element = type == "f32" ? 4 : type == "bf16" ? 2 : 1;
    const double elements = number("tables") * double(uint64_t{1} << int(number("bits"))) * number("d_out");
    // A portable kernel does not know its tables' size: it may be any.
    if (elements == 0 || elements * element >= double(uint64_t{1} << 31)) target += "-large_buffers";
  }
  if (spec.kernel == "hash") {
    // The last word of the projection's weights, of which bf16x3 has three for two inputs.
    const bool dense = spec.problem.at("projection") == "dense";
    double width = dense ? number("d_in") : 16;
    while (width < number("d_in")) width *= 2;
    const double weights = dense ? width * number("tables") * number("bits") : 4 * number("repeats") * width * number("block");
    const double words = weights * (spec.problem.at("projection_type") == "bf16x3" ? 1.5 : 1);
    if (words >= double(uint64_t{1} << 31)) target += "-large_buffers";
  }
  return target;
}

}  // namespace lookupffn
