#include "row_adam.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>

#include "failure.h"
#include "generic_kernels.h"
#include "isa.h"
#include "kernel_arguments.h"
#include "kernel_call.h"
#include "parallel_tasks.h"
#include "status.h"
#include "threads.h"

namespace lookupffn {
namespace {

// Rows of a task: enough that starting it costs nothing beside them.
constexpr size_t kRowsOfTask = 512;
// Steps whose corrections are reckoned once.
constexpr int32_t kFewSteps = 1024;
// Floats that a kernel's offsets count.
constexpr size_t kSpan = size_t(1) << 30;

}  // namespace

RowAdam::RowAdam(const lookupffn_row_adam& adam, const char* isa)
    : adam_(adam), kernel_(kernel_of_any_problem("generic_row_adam", isa)) {
  few_steps_.resize(kFewSteps);
  double power1 = 1, power2 = 1;
  for (Corrections& of : few_steps_) {  // the first one, of no step, is not looked at
    of = {float(adam.lr / (1 - power1)), float(1 / std::sqrt(1 - power2))};
    power1 *= adam.beta1;
    power2 *= adam.beta2;
  }
}

RowAdam::Corrections RowAdam::corrections(int32_t steps) const {
  if (steps < kFewSteps) return few_steps_[size_t(steps)];
  return {float(adam_.lr / (1 - std::pow(adam_.beta1, steps))), float(1 / std::sqrt(1 - std::pow(adam_.beta2, steps)))};
}

void RowAdam::update(const int64_t* rows, const float* gradients, size_t count) const {
  const size_t width = adam_.width;
  int32_t at[kAtOnce];
  float decay[kAtOnce], size[kAtOnce], deviation[kAtOnce];
  double owed_before = 0;
  float factor = 1;
  for (size_t first = 0; first < count;) {
    const size_t base = size_t(rows[first]);
    size_t places = 0;
    for (; first + places < count && places < kAtOnce; ++places) {
      const size_t row = size_t(rows[first + places]);
      if ((row - base) * width > kSpan) break;
      const int32_t steps = adam_.steps[row] + 1;
      adam_.steps[row] = steps;
      const double owed = adam_.log_decay - adam_.row_log_decay[row];
      adam_.row_log_decay[row] = adam_.log_decay;
      if (owed != owed_before) {
        factor = float(std::exp(owed));
        owed_before = owed;
      }
      const Corrections of = corrections(steps);
      at[places] = int32_t(row - base);
      decay[places] = factor;
      size[places] = of.size;
      deviation[places] = of.deviation;
    }
    const size_t span = size_t(at[places - 1]) + 1;
    const ptrdiff_t stride = ptrdiff_t(width);
    BufferArgument gradient(gradients + first * width, {{width, 1}, {places, stride}});
    BufferArgument row(at, {{places, 1}}), of_decay(decay, {{places, 1}}), of_size(size, {{places, 1}}),
        of_deviation(deviation, {{places, 1}});
    float beta1 = float(adam_.beta1), rest1 = float(1 - adam_.beta1), beta2 = float(adam_.beta2),
          rest2 = float(1 - adam_.beta2);
    float eps = float(adam_.eps);
    int32_t of_rows = int32_t(span);
    BufferArgument parameter(adam_.parameter + base * width, {{width, 1}, {span, stride}});
    BufferArgument mean(adam_.mean + base * width, {{width, 1}, {span, stride}});
    BufferArgument square(adam_.square + base * width, {{width, 1}, {span, stride}});
    void* arguments[] = {gradient.pointer(),
                         row.pointer(),
                         of_decay.pointer(),
                         of_size.pointer(),
                         of_deviation.pointer(),
                         &beta1,
                         &rest1,
                         &beta2,
                         &rest2,
                         &eps,
                         &of_rows,
                         parameter.pointer(),
                         mean.pointer(),
                         square.pointer()};
    call_kernel(kernel_, arguments);
    first += places;
  }
}

void check_row_adam(const char* function, const lookupffn_row_adam& adam) {
  const auto invalid = [&](const std::string& what) {
    throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string(function) + ": adam's " + what);
  };
  if (!adam.parameter || !adam.mean || !adam.square || !adam.steps || !adam.row_log_decay) {
    invalid("parameter, mean, square, steps or row_log_decay is NULL");
  }
  if (adam.width == 0 || adam.width > kSpan) invalid("width is " + std::to_string(adam.width));
  if (!(adam.beta1 >= 0 && adam.beta1 < 1 && adam.beta2 >= 0 && adam.beta2 < 1)) invalid("betas are not from 0 to below 1");
  if (!(adam.lr >= 0) || !(adam.eps >= 0)) invalid("lr or eps is not 0 or more");
}

}  // namespace lookupffn

using namespace lookupffn;

extern "C" lookupffn_status lookupffn_row_adam_step(const lookupffn_row_adam* adam, lookupffn_threads* threads,
                                                    const int64_t* rows, const float* gradients, size_t count) {
  return guard([&] {
    const char* function = "lookupffn_row_adam_step";
    if (!adam) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string(function) + ": adam is NULL");
    check_row_adam(function, *adam);
    if (count == 0) return;
    if (!rows || !gradients) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string(function) + ": rows or gradients is NULL");
    for (size_t k = 0; k < count; ++k) {
      if (rows[k] >= 0 && uint64_t(rows[k]) < adam->rows && (k == 0 || rows[k] > rows[k - 1])) continue;
      throw Failure(LOOKUPFFN_INVALID_ARGUMENT, std::string(function) + ": rows[" + std::to_string(k) + "] is " +
                                                    std::to_string(rows[k]) + "; rows ascend, and are 0 to " +
                                                    std::to_string(adam->rows) + " - 1");
    }
    const RowAdam step(*adam, kIsas[require_isa(nullptr)].name);
    lookupffn_threads& pool = threads ? *threads : *default_threads();
    const size_t tasks = std::min<size_t>((count + kRowsOfTask - 1) / kRowsOfTask, size_t(1) << 16);
    run_tasks(pool, tasks, [&](size_t i) {
      const Share share(count, tasks, i, 1);
      step.update(rows + share.first, gradients + share.first * adam->width, share.count);
    });
  });
}
