// Packing an embedding bag and running it: how bags are shared out between threads, and ids taken up by kernels.
#include "embedding_bag_layer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "bag_layout.h"
#include "failure.h"
#include "kernel_arguments.h"
#include "kernel_call.h"
#include "packed_rows.h"
#include "parallel_tasks.h"
#include "weight_types.h"

namespace lookupffn {
namespace {

// Below so many bytes of rows to read, bags are not worth a second thread.
constexpr size_t kWorthSharing = size_t(192) << 10;
// Bags of a kernel's call.
constexpr size_t kBagsTogether = 256;
// Ids of a call: kernels count them in 32 bits, and look some ahead.
constexpr size_t kMostIds = (size_t(1) << 31) - (size_t(1) << 16);
// Bytes of y that go through the scratch at a time, where they have to; at least one row.
constexpr size_t kCopiedBytes = size_t(64) << 10;
// Floats of a table that are read together when it is packed: a file's reads are system calls.
constexpr size_t kFloatsAtOnce = size_t(1) << 15;

[[noreturn]] void invalid(const std::string& what) {
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_forward_ids: " + what);
}

void check_ids(const IdBags& bags, size_t rows) {
  constexpr size_t kTogether = 512;  // without a branch each
  for (size_t first = bags.begin(0); first < bags.count; first += kTogether) {
    const size_t end = std::min(bags.count, first + kTogether);
    bool wrong = false;
    for (size_t i = first; i < end; ++i) wrong |= uint64_t(bags.ids[i]) >= rows;
    for (size_t i = first; wrong && i < end; ++i) {
      if (uint64_t(bags.ids[i]) < rows) continue;
      invalid("ids[" + std::to_string(i) + "] is " + std::to_string(bags.ids[i]) + "; rows are 0 to " +
              std::to_string(rows - 1));
    }
  }
  for (size_t b = 0; b < bags.bags; ++b) {
    if (bags.end(b) - bags.begin(b) <= kMostIds) continue;
    invalid("bag " + std::to_string(b) + " has " + std::to_string(bags.end(b) - bags.begin(b)) + " ids; a bag has up to " +
            std::to_string(kMostIds));
  }
}

// The first bag of part `i` of `parts` that have about as many ids each. A bag costs about as much as an id besides.
size_t part_begin(const IdBags& bags, size_t parts, size_t i) {
  if (i == parts) return bags.bags;
  const auto before = [&](size_t b) { return bags.begin(b) - bags.begin(0) + b; };
  const double wanted = double(bags.count - bags.begin(0) + bags.bags) * double(i) / double(parts);
  size_t low = 0, high = bags.bags;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (double(before(middle)) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

class EmbeddingBagModelLayer final : public ModelLayer {
 public:
  EmbeddingBagModelLayer(const SafetensorsFile& file, const std::string& prefix)
      : ModelLayer(prefix), weights_(read_embedding_bag(file, prefix)) {
    set_shape(weights_.shape);
  }

  const BagWeights& weights() const { return weights_; }

  std::unique_ptr<lookupffn_layer> pack(const PackRequest& request) const override {
    return std::make_unique<EmbeddingBagLayer>(*this, weights_, request);
  }

 private:
  const BagWeights weights_;
};

std::unique_ptr<ModelLayer> read_layer(const SafetensorsFile& file, const std::string& prefix) {
  return std::make_unique<EmbeddingBagModelLayer>(file, prefix);
}

}  // namespace

extern const RuntimeFamily embedding_bag_runtime_family;
const RuntimeFamily embedding_bag_runtime_family = {"embedding_bag", "embedding_bag.weight", find_embedding_bags, read_layer};

const BagWeights& bag_weights_of(const ModelLayer& layer) {
  if (const auto* own = dynamic_cast<const EmbeddingBagModelLayer*>(&layer)) return own->weights();
  throw Failure(LOOKUPFFN_INVALID_ARGUMENT,
                "layer '" + layer.prefix() + "' is of family " + layer.shape().family + ", not embedding_bag");
}

EmbeddingBagLayer::EmbeddingBagLayer(const ModelLayer& source, const BagWeights& weights, const PackRequest& request)
    : lookupffn_layer(source, request), row_(bag_row(shape.d_out)), format_(row_format(weight_type(request.table_type).name)) {
  kernels = choose_kernels(request.kernels);  // before the work: it may be refused
  pack(weights);
}

void EmbeddingBagLayer::pack(const BagWeights& weights) {
  const bool scaled = format_.type->row_scales;
  const size_t row_bytes = format_.bytes(row_),
               rows_bytes = addressable(uint64_t(shape.rows) * row_bytes);  // multiples of 16: scales are aligned
  table_bytes_ = addressable(uint64_t(rows_bytes) + (scaled ? shape.rows * sizeof(float) : 0));
  memory_ = HugeMemory(table_bytes_);
  char* const table = static_cast<char*>(memory_.data());
  if (scaled) scales_ = reinterpret_cast<float*>(table + rows_bytes);
  const size_t width = shape.d_out, together = std::max<size_t>(1, std::min(shape.rows, kFloatsAtOnce / width));
  std::vector<float> floats(together * width);
  for (size_t r = 0; r < shape.rows; ++r) {
    if (r % together == 0) read_floats(weights.table, r * width, std::min(together, shape.rows - r) * width, floats.data());
    const float scale = pack_row(&floats[r % together * width], width, format_, table + r * row_bytes);
    if (scaled) scales_[r] = scale;
  }
}

std::unique_ptr<const KernelSet> EmbeddingBagLayer::choose_kernels(lookupffn_kernels wanted) const {
  return choose_bag_kernels(shape.d_out, isa, table_type, wanted);
}

PackedSizes EmbeddingBagLayer::sizes() const { return {table_bytes_, 0, memory_.bytes(), memory_.huge_page_bytes()}; }

// One call of forward_ids.
class EmbeddingBagLayer::Run {
 public:
  Run(const EmbeddingBagLayer& layer, const IdBags& bags, const OutputRows& y)
      : layer_(layer), bags_(bags), y_(y), copies_(layer.shape.d_out != layer.row_ || !fits(y.stride)) {
    const size_t row_floats = layer.row_ * sizeof(float);
    bags_together_ = copies_ ? std::min(kBagsTogether, std::max<size_t>(1, kCopiedBytes / row_floats)) : kBagsTogether;
    bags_together_ = std::min(bags_together_, bags.bags);
    task_bytes_ = copies_ ? bags_together_ * row_floats : 0;
  }

  void run(lookupffn_threads& threads) {
    const ScratchPool::Lease lease(layer_.scratch);
    const size_t tile = std::lcm(layer_.choice().wide.d_tile, layer_.format_.group), tiles = (layer_.row_ + tile - 1) / tile;
    const bool worth_sharing = (bags_.count - bags_.begin(0) + bags_.bags) * layer_.format_.bytes(layer_.row_) >= kWorthSharing;
    const size_t most = worth_sharing ? threads.count : 1;
    // Few bags: threads share their columns.
    const bool slices = bags_.bags < most && tiles >= most;
    const size_t parts = slices ? most : std::min(most, bags_.bags);
    char* const scratch = (*lease).reserve(parts * task_bytes_);
    run_tasks(threads, parts, [&](size_t i) {
      float* const copy = reinterpret_cast<float*>(scratch + i * task_bytes_);
      if (slices) {
        const Share columns(layer_.row_, parts, i, tile);
        add_up(0, bags_.bags, columns.first, columns.first + columns.count, copy);
      } else {
        add_up(part_begin(bags_, parts, i), part_begin(bags_, parts, i + 1), 0, layer_.row_, copy);
      }
    });
  }

 private:
  static bool fits(ptrdiff_t stride) { return stride == ptrdiff_t(int32_t(stride)); }

  // Columns from..to-1 of bags first..end-1.
  void add_up(size_t first, size_t end, size_t from, size_t to, float* copy) const {
    const size_t width = std::min(to, layer_.shape.d_out) - std::min(from, layer_.shape.d_out);
    while (first < end) {
      int32_t offsets[kBagsTogether + 1];
      float factors[kBagsTogether];
      size_t count = 0;
      const size_t start = bags_.begin(first);
      for (; count < bags_together_ && first + count < end && bags_.end(first + count) - start <= kMostIds; ++count) {
        const size_t begin = bags_.begin(first + count), behind = bags_.end(first + count);
        offsets[count] = int32_t(begin - start);
        offsets[count + 1] = int32_t(behind - start);
        factors[count] = bags_.mean && behind > begin ? 1.0f / float(behind - begin) : 1.0f;
      }
      float* const out = copies_ ? copy : y_.row(first) + from;
      call_kernels(start, count, offsets, factors, from, to, out, copies_ ? ptrdiff_t(to - from) : y_.stride);
      for (size_t k = 0; copies_ && k < count; ++k) {
        std::memcpy(y_.row(first + k) + from, copy + k * (to - from), width * sizeof(float));
      }
      first += count;
    }
  }

  // A kernel takes a multiple of its tile; a generic one leaves the end of a row to a narrower one.
  void call_kernels(size_t start, size_t count, const int32_t* offsets, const float* factors, size_t from, size_t to, float* y,
                    ptrdiff_t y_stride) const {
    const BagKernels& kernels = layer_.choice();
    const size_t whole = (to - from) / kernels.wide.d_tile * kernels.wide.d_tile;
    call(*kernels.wide.kernel, start, count, offsets, factors, from, from + whole, y, y_stride);
    call(*kernels.rest.kernel, start, count, offsets, factors, from + whole, to, y + whole, y_stride);
  }

  void call(const lookupffn_kernel& kernel, size_t start, size_t count, const int32_t* offsets, const float* factors,
            size_t from, size_t to, float* y, ptrdiff_t y_stride) const {
    if (from == to) return;
    static const float one = 1;
    // Up to the end of all ids: kernels fetch rows ahead.
    const size_t ids = std::min(bags_.count - start, kMostIds), together = size_t(kRowsTogether);
    const size_t high = (layer_.shape.rows + together - 1) / together;
    const RowFormat& format = layer_.format_;
    const ptrdiff_t row_words = ptrdiff_t(format.words(layer_.row_));
    const halide_type_t int64(halide_type_int, 64), int32(halide_type_int, 32);
    BufferArgument id(int64, bags_.ids + start, {{ids, 1}});
    BufferArgument weight(bags_.weights ? bags_.weights + start : &one, {{ids, bags_.weights ? 1 : 0}});
    BufferArgument offset(int32, offsets, {{count + 1, 1}});
    BufferArgument factor(factors, {{count, 1}});
    // A group of columns begins at `from`.
    const char* const table_data = static_cast<const char*>(layer_.memory_.data()) + format.bytes(from);
    BufferArgument table(word_type(format), table_data,
                         {{format.words(to - from), 1}, {together, row_words}, {high, row_words * kRowsTogether}});
    BufferArgument scale(layer_.scales_, {{together, 1}, {high, ptrdiff_t(together)}});
    BufferArgument out(y, {{to - from, 1}, {count, y_stride}});
    void* arguments[] = {id.pointer(),    weight.pointer(), offset.pointer(), factor.pointer(),
                         table.pointer(), scale.pointer(),  out.pointer()};
    call_kernel(kernel, arguments);
  }

  const EmbeddingBagLayer& layer_;
  const IdBags& bags_;
  const OutputRows& y_;
  const bool copies_;  // rows of y are made in the scratch
  size_t bags_together_, task_bytes_;
};

void EmbeddingBagLayer::forward_ids(lookupffn_threads& threads, const IdBags& bags, const OutputRows& y) const {
  check_ids(bags, shape.rows);
  Run(*this, bags, y).run(threads);
}

}  // namespace lookupffn
