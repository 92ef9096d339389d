#include "row_gradients.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "parallel_tasks.h"
#include "row_adam.h"

namespace lookupffn {
namespace {

// Pairs of a run: their rows of d_y, which are read twice, stay in the second-level cache.
constexpr size_t kPairs = 64;
// Rows that wait for the optimiser: enough that starting it costs little beside them.
constexpr size_t kRows = 64;
// Floats of a run's rows, which a kernel's offsets count.
constexpr size_t kSpan = size_t(1) << 30;

// Runs of whole rows of one table.
class Run {
 public:
  Run(const TrainingKernels& kernels, const PairOrder& order, const CodeRows& codes, const float* tables, size_t d_out,
      const InputRows& d_y, const RowGradients& to, const RowAdam* adam, const FloatRows& d_score)
      : kernels_(kernels),
        order_(order),
        codes_(codes),
        tables_(tables),
        d_out_(d_out),
        d_y_(d_y),
        to_(to),
        adam_(adam),
        d_score_(d_score) {}

  void table(size_t t) {
    const uint32_t* const begin = order_.begin + t * (order_.rows + 1);
    const size_t span = std::max<size_t>(1, std::min(order_.rows, kSpan / d_out_));
    size_t picked = order_.picked[t];
    // Dense gradients have rows of zeros, too.
    for (size_t row = 0; row < order_.rows;) {
      if (!to_.tables && begin[row] == begin[row + 1]) {
        ++row;
        continue;
      }
      size_t end = row;
      size_t places = 0;
      while (end < order_.rows && end - row < span && (end == row || begin[end + 1] - begin[row] <= kPairs)) {
        places += to_.tables || begin[end] < begin[end + 1];
        ++end;
      }
      rows(t, row, end, places, picked);
      picked += places;
      row = end;
    }
    update();
  }

 private:
  // Gives the optimiser the rows that wait for it.
  void update() {
    if (!numbers_.empty()) adam_->update(numbers_.data(), gradient_.data(), numbers_.size());
    numbers_.clear();
  }

  // Rows first..end-1 of table t.
  void rows(size_t t, size_t first, size_t end, size_t places, size_t picked) {
    const uint32_t* const begin = order_.begin + t * (order_.rows + 1);
    const size_t from = begin[first], pairs = begin[end] - from;
    const int32_t* const token = order_.token + t * order_.tokens + from;
    row_.clear();
    place_.clear();
    int32_t place = 0;
    score_.resize(pairs);
    dot_.resize(pairs);
    for (size_t row = first; row < end; ++row) {
      const size_t count = begin[row + 1] - begin[row];
      if (count == 0 && !to_.tables) continue;
      place_.insert(place_.end(), count, place++);
      row_.insert(row_.end(), count, int32_t(row - first));
      if (adam_) numbers_.push_back(int64_t(t * order_.rows + row));
    }
    const float* const table = tables_ + (t * order_.rows + first) * d_out_;
    const size_t stride = size_t(d_y_.stride);
    if (pairs > 0) {
      kernels_.row_dots(table, end - first, d_out_, d_y_.data, stride, order_.tokens, row_.data(), token,
                        order_.tokens - from, pairs, dot_.data());
      for (size_t j = 0; j < pairs; ++j) d_score_.row(size_t(token[j]))[t] = dot_[j];
    }
    if (!to_.tables && !to_.rows && !adam_) return;
    for (size_t j = 0; j < pairs; ++j) score_[j] = codes_.score[size_t(token[j]) * codes_.stride + t];
    float* gradient = to_.tables ? to_.tables + (t * order_.rows + first) * d_out_ : to_.rows ? to_.rows + picked * d_out_ : nullptr;
    if (adam_) {
      const size_t waiting = numbers_.size() - places;
      gradient_.resize(std::max(gradient_.size(), (waiting + places) * d_out_));
      gradient = gradient_.data() + waiting * d_out_;
    }
    kernels_.row_sums(d_y_.data, stride, d_out_, order_.tokens, token, place_.data(), score_.data(), pairs, gradient, places);
    if (numbers_.size() >= kRows) update();
  }

  const TrainingKernels& kernels_;
  const PairOrder& order_;
  const CodeRows& codes_;
  const float* const tables_;
  const size_t d_out_;
  const InputRows& d_y_;
  const RowGradients& to_;
  const RowAdam* const adam_;
  const FloatRows& d_score_;
  std::vector<int32_t> row_, place_;  // of a pair: its row, from the run's first; which of the run's rows it is
  std::vector<int64_t> numbers_;      // of all tables' rows, those whose gradients wait for the optimiser
  std::vector<float> score_, dot_, gradient_;
};

}  // namespace

size_t PairOrder::bytes(size_t tables, size_t rows, size_t tokens) {
  return (tables + 1) * sizeof(size_t) + tables * tokens * sizeof(int32_t) + tables * (rows + 1) * sizeof(uint32_t);
}

PairOrder::PairOrder(size_t tables, size_t rows, size_t tokens, char* memory) : tables(tables), rows(rows), tokens(tokens) {
  picked = reinterpret_cast<size_t*>(memory);
  token = reinterpret_cast<int32_t*>(picked + tables + 1);
  begin = reinterpret_cast<uint32_t*>(token + tables * tokens);
}

void PairOrder::sort(size_t table, const CodeRows& codes) {
  uint32_t* const starts = begin + table * (rows + 1);
  int32_t* const sorted = token + table * tokens;
  std::fill(starts, starts + rows + 1, 0);
  const uint16_t* const code = codes.code + table;
  for (size_t n = 0; n < tokens; ++n) ++starts[code[n * codes.stride]];
  size_t rows_picked = 0;
  uint32_t before = 0;
  for (size_t row = 0; row <= rows; ++row) {
    const uint32_t count = starts[row];
    rows_picked += count > 0;
    starts[row] = before;
    before += count;
  }
  for (size_t n = 0; n < tokens; ++n) sorted[starts[code[n * codes.stride]]++] = int32_t(n);
  // Each start is now where its row ends.
  for (size_t row = rows; row > 0; --row) starts[row] = starts[row - 1];
  starts[0] = 0;
  picked[table + 1] = rows_picked;
}

void PairOrder::add_up_picked() {
  picked[0] = 0;
  for (size_t t = 0; t < tables; ++t) picked[t + 1] += picked[t];
}

void row_gradients(const TrainingKernels& kernels, lookupffn_threads& threads, const PairOrder& order, const CodeRows& codes,
                   const float* tables, size_t d_out, const InputRows& d_y, const RowGradients& to, const FloatRows& d_score) {
  std::unique_ptr<const RowAdam> adam;
  if (to.adam) adam = std::make_unique<RowAdam>(*to.adam, to.isa);
  const size_t tasks = std::min(order.tables, 4 * threads.count);
  run_tasks(threads, tasks, [&](size_t i) {
    Run run(kernels, order, codes, tables, d_out, d_y, to, adam.get(), d_score);
    const Share share(order.tables, tasks, i, 1);
    for (size_t t = share.first; t < share.first + share.count; ++t) run.table(t);
  });
}

}  // namespace lookupffn
