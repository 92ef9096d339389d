// Tuned schedules: one small JSON file a kernel, kept in schedules/tuned/ISA/, and the choice among them.
#ifndef LOOKUPFFN_SCHEDULE_RECORD_H
#define LOOKUPFFN_SCHEDULE_RECORD_H

#include <cstdint>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "machine.h"
#include "objectives.h"
#include "schedule.h"
#include "schedule_space.h"

namespace lookupffn {

// 1 had a hash of the generator's sources, which is not read any more; 2 has one of the code that was measured.
constexpr int kScheduleRecordSchema = 2, kOldestScheduleRecordSchema = 1;

struct ScheduleRecord {
  int schema = kScheduleRecordSchema;
  KernelSpec spec;
  int threads = 0;                              // threads that the kernel was measured with
  std::string objective = default_objective();  // that it was tuned for: a name of objectives.h
  Schedule schedule;

  // Fresh measurements of the default and of this schedule, taken in turn.
  std::vector<double> default_us_per_token, tuned_us_per_token;
  int64_t tokens = 0;                  // tokens a call when it was measured
  double gain = 1;                     // default's time over this schedule's, of medians
  double gain_low = 1, gain_high = 1;  // its spread
  struct Provenance {
    std::string date;         // "2024-05-17T09:30:00Z"
    std::string cpu, caches;  // as in Machine
    std::string halide;       // "14.0.0"
    std::string object_hash;  // object_code_hash() of the kernel that was measured, "" where it was not recorded
    std::string tool;         // version of the tool that wrote it
  } provenance;
};

// Now, as a Provenance has it.
std::string date_now();

// KERNEL-PROBLEM-CLASS[-CPU][-OBJECTIVE].json, without the directory. cpu may be ""; hot, the usual objective, is not named.
std::string record_file_name(const KernelSpec& spec, const std::string& cpu,
                             const std::string& objective = default_objective());

// Writes SCHEDULES_DIR/tuned/ISA/NAME.json, name as above with the record's own CPU, making directories
// where needed; a reader sees the old file or the new one, never a part. Returns the path.
// Throws std::runtime_error naming the file and the system's reason.
std::string save_record(const std::string& schedules_dir, const ScheduleRecord& record);

// Throws std::runtime_error naming the file and what is missing or wrong in it. Does not judge whether it
// matches anything. A record of an older schema that this version reads is made one of this schema.
ScheduleRecord load_record(const std::string& path);
// The same for a file's text; `path` stands for the file in messages.
ScheduleRecord parse_record(const std::string& json_text, const std::string& path);

// Paths of all tuned/ISA/*.json of a schedules directory, sorted. isa "" means every ISA.
std::vector<std::string> record_files(const std::string& schedules_dir, const std::string& isa = "");

// Why a record may not be used for anything now, "" where it may: another schema, another schedule space, a
// schedule that the space does not hold, a file name or folder that says another kernel than the content.
std::string record_fault(const ScheduleRecord& record, const std::string& path, const ScheduleSpace& space);

// Why a record is not this kernel's, "" where it is: "was made for d_in=768, this kernel has d_in=512".
std::string spec_difference(const ScheduleRecord& record, const KernelSpec& spec);

struct ChosenSchedule {
  Schedule schedule;
  std::string provenance;          // "default", or "tuned/avx512/NAME.json (this CPU)"
  std::string record_path;         // "" for the default
  std::string record_name;         // "tuned/avx512/NAME.json"
  std::string record_isa;          // not the kernel's where another ISA's record serves
  std::string object_hash;         // the record's
  std::vector<std::string> notes;  // a line each: records that were refused or come from elsewhere, and why
};

// The schedule to generate a kernel with. Looks at the records of all directories that bear this kernel's
// name or claim to be for it; the first directory with a space file for the kernel decides the space. Among
// records that match, those that were tuned for `objective` come first. Among these, this CPU with as many threads comes first,
// then this CPU, then any other CPU's (which is noted), the newest of equals; avx512's records come after avx512_bf16's own,
// and these after avx512_amx's own where the kernel does not multiply with AMX. Nothing that matches: the space's default.
// Throws std::runtime_error where no directory has the space.
ChosenSchedule choose_schedule(const std::vector<std::string>& schedules_dirs, const KernelSpec& spec, const Machine& machine,
                               const std::string& objective = default_objective());

}  // namespace lookupffn
#endif
