// libFuzzer target: any text is a condition, a schedule space, a schedule record or a manifest, or is refused by a one-line
// message. The first byte says which it is to be: c, s, r or m.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "condition.h"
#include "kernel_manifest.h"
#include "schedule_record.h"
#include "schedule_space.h"

namespace {

using namespace lookupffn;

void require(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "text_fuzz: %s\n", what.c_str());
  std::abort();
}

KernelSpec spec() {
  KernelSpec spec;
  spec.kernel = "gather";
  spec.isa = "avx2";
  spec.batch_class = "small";
  spec.problem = {{"bits", "8"}, {"d_out", "512"}, {"table_type", "f32"}, {"tables", "128"}};
  return spec;
}

void read_condition(const std::string& text) {
  const Condition condition(text);
  Variables variables;
  for (const std::string& name : condition.variables()) variables[name] = Value::from_number(int64_t(name.size()));
  condition.evaluate(variables);
}

void read_space(const std::string& text) {
  const ScheduleSpace space = ScheduleSpace::parse(text, "fuzz");
  require(space.content_hash().size() == 16, "a space without a hash");
  if (space.combinations() > 4096) return;
  for (const Schedule& schedule : space.enumerate(spec(), 8))
    require(space.legal(spec(), schedule), "an illegal schedule is listed");
  require(space.legal(spec(), space.default_schedule(spec())), "an illegal default");
}

void read_record(const std::string& text) {
  static const ScheduleSpace space = ScheduleSpace::parse(
      R"({"schema": 1, "kernel": "gather", "parameters": [{"name": "d_tile", "doc": "", "values": [16, 32]}], "definitions": [],
          "conditions": [], "defaults": [{"when": "true", "schedule": {"d_tile": 16}}]})",
      "fuzz");
  const ScheduleRecord record = parse_record(text, "tuned/avx2/x.json");
  record_fault(record, "tuned/avx2/x.json", space);
  spec_difference(record, spec());
  record_file_name(record.spec, record.provenance.cpu);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0]) {
      case 'c':
        read_condition(text);
        break;
      case 's':
        read_space(text);
        break;
      case 'r':
        read_record(text);
        break;
      case 'm':
        files_of_manifest(text);
        break;
      default:
        break;
    }
  } catch (const std::exception& error) {
    require(error.what()[0] != '\0', "a failure without a message");
  }
  return 0;
}
