#include "isa_target.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "isas.h"
#include "row_format.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

const char* halide_platform(Architecture architecture) {
  switch (architecture) {
    case kArm64: return "arm-64-linux";
    case kRiscv64: return "riscv-64-linux";
    case kWasm32: return "wasm-32-wasmrt";
    default: return "x86-64-linux";
  }
}

}  // namespace

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
  const IsaRow& isa = isa_row(name);
  // Every feature is spelled out: Halide 14 and later differ in which imply which.
  std::string features;
  for (const IsaRow* row : isa_lineage(isa)) features += (*row->halide_features ? "-" : "") + std::string(row->halide_features);
  return {isa.name, std::string(halide_platform(isa.architecture)) + features + instrumentation + "-no_asserts-no_bounds_query-no_runtime",
          isa.vector_bytes, isa.vector_registers};
}

std::string halide_target(const KernelSpec& spec, const std::string& sanitizer) {
  std::string target = isa_target(spec.isa, sanitizer).halide_target;
  const auto number = [&](const char* name) {
    const auto at = spec.problem.find(name);
    return at == spec.problem.end() ? 0.0 : std::stod(at->second);
  };
  if (spec.kernel == "gather") {
    const RowFormat format = row_format(spec.problem.at("table_type"));
    const double rows = number("tables") * double(uint64_t{1} << int(number("bits")));
    const double bytes = rows * double(format.bytes(size_t(number("d_out"))));
    // A generic kernel does not know its tables' size: it may be any.
    if (bytes == 0 || bytes >= double(uint64_t{1} << 31)) target += "-large_buffers";
  }
  if (spec.kernel == "hash") {
    const bool dense = spec.problem.at("projection") == "dense";
    double width = dense ? number("d_in") : 16;
    while (width < number("d_in")) width *= 2;
    const double weights = dense ? width * number("tables") * number("bits") : 4 * number("repeats") * width * number("block");
    // Offsets count words of 32 bits, or elements where they are larger.
    const double words = weights * std::max(1.0, weight_type_of(spec.problem.at("projection_type")).bits / 32.0);
    if (words >= double(uint64_t{1} << 31)) target += "-large_buffers";
  }
  return target;
}

}  // namespace lookupffn
