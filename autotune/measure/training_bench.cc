#include "training_bench.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "reference/random_numbers.h"

namespace lookupffn {
namespace {

// Twins are slow.
constexpr size_t kJudged = 24;

// A thread's own time: what other programs take of its core in between is not the kernel's.
int64_t thread_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return int64_t(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

// A kernel is a function without a state, and so is what takes its time.
int (*measured[2])(void**);
std::atomic<int64_t> ns_inside{0};
std::atomic<uint64_t> calls_inside{0};

template <Contender contender>
int timed(void** arguments) {
  const int64_t begin = thread_ns();
  const int result = measured[contender](arguments);
  ns_inside += thread_ns() - begin;
  ++calls_inside;
  return result;
}

}  // namespace

TrainingBench::TrainingBench(const MeasureOptions& options, std::unique_ptr<const reference::TrainingTwin> twin,
                             const lookupffn_kernel_library& incumbent, const lookupffn_kernel_library& candidate,
                             lookupffn_threads* threads)
    : options_(options), twin_(std::move(twin)), threads_(threads), weights_(twin_->weights()) {
  for (const Contender contender : {kIncumbent, kCandidate}) {
    const lookupffn_kernel_library& library = contender == kIncumbent ? incumbent : candidate;
    if (library.kernel_count != 1) throw std::runtime_error("kernels of training steps are measured one at a time");
    measured[contender] = library.kernels[0].function;
    kernels_[contender] = library.kernels[0];
    kernels_[contender].function = contender == kIncumbent ? timed<kIncumbent> : timed<kCandidate>;
    libraries_[contender] = library;
    libraries_[contender].kernels = &kernels_[contender];
  }
  const lookupffn_shape& shape = twin_->shape();
  const size_t tokens = options.tokens;
  row_count_ = shape.tables * shape.rows;
  table_floats_ = row_count_ * shape.d_out;
  x_ = twin_->random_x(tokens, options.seed + 1);
  d_y_ = reference::RandomNumbers(options.seed + 2).normals(tokens * shape.d_out, 1);
  y_ = take(tokens * shape.d_out);
  d_x_ = take(tokens * shape.d_in);
  norm_weight_ = take(shape.d_in);
  norm_bias_ = take(shape.d_in);
  projection_weight_ = take(twin_->projection_floats());
  projection_bias_ = take(shape.tables * shape.bits);
  bias_ = take(shape.d_out);
  tables_ = take(table_floats_);
  mean_ = take(table_floats_);
  square_ = take(table_floats_);
  memory_.assign(parts_.back().begin + parts_.back().size + kGuard, kGuardValue);
  adam_.parameter = at(tables_);
  adam_.mean = at(mean_);
  adam_.square = at(square_);
  adam_.rows = row_count_;
  adam_.width = shape.d_out;
  adam_.lr = 1e-3;
  adam_.beta1 = 0.9;
  adam_.beta2 = 0.999;
  adam_.eps = 1e-8;
  weights_.tables = at(tables_);
  use(kIncumbent);
  saved_.resize(lookupffn_training_saved_floats(training_.get(), tokens));
  start_anew();
}

TrainingBench::Part TrainingBench::take(size_t floats) {
  const Part before = parts_.empty() ? Part{} : parts_.back();
  parts_.push_back({(before.begin + before.size + 2 * kGuard - 1) / kGuard * kGuard, floats});
  return parts_.back();
}

void TrainingBench::start_anew() {
  std::copy_n(twin_->weights().tables, table_floats_, at(tables_));
  std::fill_n(at(mean_), table_floats_, 0.0f);
  std::fill_n(at(square_), table_floats_, 0.0f);
  steps_.assign(row_count_, 0);
  log_decay_.assign(row_count_, 0);
  adam_.steps = steps_.data();
  adam_.row_log_decay = log_decay_.data();
}

void TrainingBench::use(Contender contender) {
  // The later registration wins.
  must(lookupffn_register_kernels(&libraries_[contender]), "registering a kernel");
  lookupffn_training* training = nullptr;
  must(lookupffn_training_create(&twin_->shape(), options_.isa.c_str(), &training), "making a training");
  training_.reset(training);
}

void TrainingBench::step(size_t tokens) {
  const ptrdiff_t d_in = ptrdiff_t(twin_->shape().d_in), d_out = ptrdiff_t(twin_->shape().d_out);
  const lookupffn_training* const training = training_.get();
  must(lookupffn_training_hash(training, threads_, &weights_, x_.data(), d_in, tokens, saved_.data()), "hashing");
  must(lookupffn_training_gather(training, threads_, &weights_, tokens, saved_.data(), at(y_), d_out), "gathering");
  lookupffn_gradients to{};
  to.x = at(d_x_);
  to.norm_weight = at(norm_weight_);
  to.norm_bias = at(norm_bias_);
  to.projection_weight = at(projection_weight_);
  to.projection_bias = at(projection_bias_);
  to.bias = at(bias_);
  to.adam = &adam_;
  must(lookupffn_training_backward(training, threads_, &weights_, x_.data(), d_in, d_y_.data(), d_out, tokens, saved_.data(),
                                   &to),
       "the backward");
}

void TrainingBench::check_guards() const {
  size_t at = 0;
  for (const Part& part : parts_) {
    for (; at < part.begin; ++at) {
      if (memory_[at] != kGuardValue) throw Incorrect("wrote outside its output");
    }
    at += part.size;
  }
  for (; at < memory_.size(); ++at) {
    if (memory_[at] != kGuardValue) throw Incorrect("wrote outside its output");
  }
}

void TrainingBench::check_reference() {
  const size_t tokens = std::min(options_.tokens, kJudged);
  start_anew();
  use(kCandidate);
  step(tokens);
  const std::vector<float> x(x_.begin(), x_.begin() + ptrdiff_t(tokens * twin_->shape().d_in));
  const std::vector<float> d_y(d_y_.begin(), d_y_.begin() + ptrdiff_t(tokens * twin_->shape().d_out));
  const std::string wrong = twin_->judge(x, d_y, adam_,
                                         {at(y_), at(d_x_), at(norm_weight_), at(norm_bias_), at(projection_weight_),
                                          at(projection_bias_), at(bias_), at(tables_), at(mean_), at(square_)});
  if (!wrong.empty()) throw Incorrect(wrong);
}

void TrainingBench::check() {
  check_reference();
  for (const size_t tokens : {options_.tokens, std::max<size_t>(2, options_.tokens) - 1}) {
    std::vector<float> results[2];
    for (const Contender contender : {kIncumbent, kCandidate}) {
      start_anew();
      use(contender);
      calls_inside = 0;
      for (int steps = 0; steps < 2; ++steps) step(tokens);  // the second one's rows have moments
      if (calls_inside == 0) throw std::runtime_error("a training step does not call kernel " + options_.kernel);
      check_guards();
      results[contender] = memory_;
    }
    if (std::memcmp(results[0].data(), results[1].data(), memory_.size() * sizeof(float)) != 0) {
      throw Incorrect("its bits are not the incumbent's at " + std::to_string(tokens) + " tokens");
    }
  }
}

double TrainingBench::time(Contender contender, size_t calls, Surroundings& surroundings) {
  use(contender);
  ns_inside = 0;
  for (size_t i = 0; i < calls; ++i) {
    surroundings.before_call();
    step(options_.tokens);
  }
  return double(ns_inside.load());
}

}  // namespace lookupffn
