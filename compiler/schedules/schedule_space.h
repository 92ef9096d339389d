// The schedules that a kernel can be generated with, read from generators/NAME/KERNEL.space.json:
//
//   {"schema": 1, "kernel": "gather",
//    "classes":     [{"name": "one", "max_tokens": 1}, {"name": "many", "min_tokens": 2}],
//    "parameters":  [{"name": "d_tile", "doc": "...", "values": [16, 32, 64]}, ...],
//    "definitions": [{"name": "row_floats", "expr": "round_up(d_out, 16)"}, ...],
//    "conditions":  [{"expr": "row_floats % d_tile == 0", "if_not_message": "d_tile divides the padded row"}, ...],
//    "defaults":    [{"when": "isa_vector_bytes == 64 && class == 'one'", "schedule": {"d_tile": 64, ...}}, ...,
//                    {"when": "true", "schedule": {"d_tile": {"expr": "isa_vector_bytes"}, ...}}]}
//
// A space of ours has one default, a neutral rule that is decent on any ISA. What was found to be better to start from on an
// ISA is not here, but in schedules/defaults/ (starting_points.h). A default's value may be an expression of what "when" sees.
// A definition may use earlier ones.
// A batch class is a range of numbers of tokens that has a kernel of its own; without "classes" there is one, "any".
// A parameter with "needs_threads": true is not searched on one thread; one with "step": 8 is given up last where
// a default is not legal, see default_schedule(). One with "neutral": 0 is younger than the kernel: a schedule that lacks it (a
// record of before, a default) has this value, with which the kernel is what it was.
// Variables in expressions: the parameters, the definitions, the problem's parameters, kernel, isa, class,
// isa_vector_bytes, isa_vector_registers, isa_has_NAME and uses_NAME (the kernel itself does: used_capabilities()) for each of
// registry/capabilities.def, NAME_bits for each parameter of the problem that names a weight type (table_type_bits), true and
// false. "when" sees all of them but the parameters.
#ifndef LOOKUPFFN_SCHEDULE_SPACE_H
#define LOOKUPFFN_SCHEDULE_SPACE_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "condition.h"
#include "kernel_spec.h"
#include "schedule.h"
#include "starting_points.h"

namespace lookupffn {

// Immutable once read and its starting points added; its methods may be called from several threads.
class ScheduleSpace {
 public:
  struct Parameter {
    std::string name, doc;
    std::vector<std::string> values;  // in the file's order; neighbours in it are alike
    bool needs_threads = false;       // one thread runs the same whatever the value
    uint64_t step = 1;                // how far a neighbouring value is, see default_schedule()
    std::string neutral;              // of schedules that lack the parameter; "": they are incomplete
  };

  struct BatchClass {
    std::string name;
    uint32_t min_tokens = 0, max_tokens = UINT32_MAX;  // both included
  };

  // Throws std::runtime_error naming the file and what is wrong with it.
  static ScheduleSpace load(const std::string& schedules_dir, const std::string& kernel);
  // The same for a file's text; `name` stands for the file in messages.
  static ScheduleSpace parse(const std::string& json_text, const std::string& name);

  const std::string& kernel() const { return kernel_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }

  // From the fewest tokens to the most; every number of tokens from 1 on is in one of them.
  const std::vector<BatchClass>& batch_classes() const { return batch_classes_; }
  // The class of so many tokens (0 are in the first).
  const BatchClass& batch_class_of(uint64_t tokens) const;
  // The class of a name. Throws std::runtime_error.
  const BatchClass& batch_class(const std::string& name) const;

  // The schedule and, of parameters that it lacks, the neutral values where there are such.
  Schedule completed(Schedule schedule) const;

  // completed(schedule) has one of its values for every parameter, none is missing, none is unknown, every condition holds.
  // Where not, *why (may be null) says which and how, in one line.
  bool legal(const KernelSpec& spec, const Schedule& schedule, std::string* why = nullptr) const;

  // Takes the text of a file of starting points; `name` stands for the file in messages. Throws std::runtime_error, too, where
  // a row's schedule has a parameter or a value that the space has not, or a class that it has not.
  void add_starting_points(const std::string& json_text, const std::string& name);

  // The starting point that serves this kernel; null: none, and the defaults decide.
  const StartingPoint* starting_point(const KernelSpec& spec) const { return starting_points_.find(spec); }

  const StartingPoints& starting_points() const { return starting_points_; }

  // nearest_legal() of the starting point's schedule; where none serves the kernel, of the first default whose "when" holds.
  Schedule default_schedule(const KernelSpec& spec) const;

  // A schedule; where it is not legal for this problem, the legal one that is the fewest steps along the value lists away,
  // those of each parameter counted as its `step` says. Each parameter must have one of its values. Throws std::runtime_error
  // where nothing is legal.
  Schedule nearest_legal(const KernelSpec& spec, const Schedule& wanted) const;

  // All combinations of values, legal or not.
  uint64_t combinations() const;

  // Calls visit for each legal schedule, in the order of the value lists, until it returns false.
  void for_each_legal(const KernelSpec& spec, const std::function<bool(const Schedule&)>& visit) const;
  std::vector<Schedule> enumerate(const KernelSpec& spec, size_t limit = SIZE_MAX) const;
  size_t legal_count(const KernelSpec& spec, size_t limit = SIZE_MAX) const;
  // All legal schedules, in their order, where there are no more than `count`; else so many, each as likely as any other.
  std::vector<Schedule> sample(const KernelSpec& spec, size_t count, uint64_t seed) const;

  // The legal schedules that differ from a legal one in the values of 1 to `changes` parameters, in their order.
  std::vector<Schedule> near(const KernelSpec& spec, const Schedule& schedule, size_t changes) const;

  // 16 hexadecimal digits: changes with the kernel, parameters, values, definitions and conditions, but not
  // with documentation, messages and defaults, which do not change what a tuned schedule means.
  const std::string& content_hash() const { return content_hash_; }

 private:
  struct Definition {
    std::string name;
    Condition expression;
  };
  struct Rule {
    Condition condition;
    std::string message;
  };
  struct Default {
    Condition when;
    Schedule schedule;                          // but for what is
    std::map<std::string, Condition> computed;  // from the ISA, the class and the problem
  };

  Variables fixed_variables(const KernelSpec& spec) const;
  Schedule neutral_default(const KernelSpec& spec) const;
  // Depth first over the parameters, cutting off where a condition already fails. `cost(parameter, value)`
  // adds up along the way; branches that reach *bound are left out.
  void search(const KernelSpec& spec, const std::function<uint64_t(size_t, size_t)>& cost, const uint64_t* bound,
              const std::function<bool(const Schedule&, uint64_t)>& visit) const;
  bool complete(const Schedule& schedule, std::string* why) const;

  std::string name_, kernel_, content_hash_;
  std::vector<BatchClass> batch_classes_;
  std::vector<Parameter> parameters_;
  std::vector<Definition> definitions_;
  std::vector<Rule> rules_;
  std::vector<Default> defaults_;
  StartingPoints starting_points_;
};

}  // namespace lookupffn
#endif
