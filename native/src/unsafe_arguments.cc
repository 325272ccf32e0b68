#include "unsafe_arguments.h"

#include <ATen/core/Tensor.h>

#include <algorithm>

namespace sae_eval::unsafe {

namespace {

const at::Tensor& tensor(const Arguments& arguments, size_t i) {
  return arguments.at(i).toTensor();
}
bool null(const Arguments& arguments, size_t i) {
  return arguments.at(i).isNone();
}
bool isFalse(const Arguments& arguments, size_t i) {
  return !arguments.at(i).toBool();
}

bool notOfSize(const Arguments& arguments, size_t i, int64_t numel) {
  return !null(arguments, i) && tensor(arguments, i).numel() != numel;
}

// Whether a value of an integer tensor lies outside [least, below).
bool outside(const at::Tensor& indices, int64_t least, int64_t below) {
  if (indices.numel() == 0) return false;
  return indices.min().item<int64_t>() < least || indices.max().item<int64_t>() >= below;
}

// Whether an argument from `first` on does not have one value for each channel of argument 0.
bool channelsDiffer(const Arguments& a, size_t first, size_t end) {
  const at::Tensor& input = tensor(a, 0);
  if (input.dim() < 2) return true;
  for (size_t i = first; i < end; ++i)
    if (notOfSize(a, i, input.size(1))) return true;
  return false;
}

bool backwardOf(const Arguments& a, size_t input, size_t grad) {
  const at::Tensor& x = tensor(a, input);
  if (x.dim() < 2 || x.numel() == 0 || x.sizes() != tensor(a, grad).sizes()) return true;
  const size_t weight = std::max(input, grad) + 1;
  for (size_t i = weight; i < weight + 5; ++i)
    if (notOfSize(a, i, x.size(1))) return true;
  const bool training = a.at(weight + 5).toBool();
  return training ? null(a, weight + 3) || null(a, weight + 4)
                  : null(a, weight + 1) || null(a, weight + 2);
}

// Whether a list, unless empty, does not match the first list tensor by tensor.
bool listsDiffer(const Arguments& arguments, size_t lists) {
  const auto first = arguments.at(0).toTensorVector();
  for (size_t list = 1; list < lists; ++list) {
    const auto other = arguments.at(list).toTensorVector();
    if (other.empty() && list > 1) continue;
    if (other.size() != first.size()) return true;
    for (size_t i = 0; i < first.size(); ++i)
      if (other[i].sizes() != first[i].sizes() || other[i].scalar_type() != first[i].scalar_type())
        return true;
  }
  return false;
}

bool normSizes(const at::Tensor& v, const at::Tensor& g, int64_t dim) {
  return v.numel() == 0 || v.dim() == 0 || dim < 0 || dim >= v.dim() || g.numel() != v.size(dim);
}

bool weightsMissing(const Arguments& a, size_t weights) {
  const auto list = a.at(weights).toTensorVector();
  const int64_t directions = a.at(weights + 5).toBool() ? 2 : 1;
  const int64_t each = (a.at(weights + 1).toBool() ? 4 : 2) * directions;
  const bool empty = std::any_of(list.begin(), list.end(),
                                 [](const at::Tensor& weight) { return weight.numel() == 0; });
  const int64_t count = static_cast<int64_t>(list.size()), layers = a.at(weights + 2).toInt();
  return empty || (count != each * layers &&
                   count != (each + directions) * layers);  // the latter with projections
}

bool batchSizes(const at::Tensor& sizes, int64_t rows) {
  if (sizes.dim() != 1 || sizes.numel() == 0 || !sizes.is_cpu() || sizes.scalar_type() != at::kLong)
    return true;
  return sizes.min().item<int64_t>() < 1 || sizes.sum().item<int64_t>() != rows ||
         (sizes.numel() > 1 && sizes.diff().max().item<int64_t>() > 0);
}

// Gradients of a pooling over the last `dims` dimensions: the indices are places in the plane that
// was pooled.
bool pooled(const Arguments& a, int64_t dims) {
  const at::Tensor &grad = tensor(a, 0), &self = tensor(a, 1), &indices = tensor(a, 2);
  if (self.dim() <= dims || grad.dim() != self.dim() || indices.sizes() != grad.sizes() ||
      indices.scalar_type() != at::kLong)
    return true;
  if (grad.sizes().slice(0, self.dim() - dims) != self.sizes().slice(0, self.dim() - dims))
    return true;
  int64_t plane = 1;
  for (int64_t i = 1; i <= dims; ++i) plane *= self.size(-i);
  return outside(indices, 0, plane);
}

bool belowOne(const c10::IValue& step) {
  return std::abs(step.toScalar().toDouble()) < 1;
}

}  // namespace

bool batchNorm(const Arguments& a) {
  return channelsDiffer(a, 1, 5) || (isFalse(a, 5) && (null(a, 3) || null(a, 4)));
}
bool batchNormNoUpdate(const Arguments& a) {
  return channelsDiffer(a, 1, 5) || null(a, 3) || null(a, 4);
}
bool batchNormNoStatistics(const Arguments& a) {
  return channelsDiffer(a, 1, 3) || isFalse(a, 3);
}
bool batchNormWithUpdate(const Arguments& a) {
  return channelsDiffer(a, 1, 5);
}
bool batchNormStatistics(const Arguments& a) {
  return channelsDiffer(a, 1, 3);
}
bool batchNormBackward(const Arguments& a) {
  return backwardOf(a, 1, 0);
}
bool batchNormIndexBackward(const Arguments& a) {
  return backwardOf(a, 1, 2);
}

bool cumulativeHelper(const Arguments& a) {
  const at::Tensor &self = tensor(a, 0), &values = tensor(a, 1), &indices = tensor(a, 2);
  return self.numel() == 0 || values.sizes() != self.sizes() || indices.sizes() != self.sizes() ||
         values.scalar_type() != self.scalar_type() || indices.scalar_type() != at::kLong ||
         a.at(3).toInt() < 0 || a.at(3).toInt() >= std::max<int64_t>(self.dim(), 1);
}

bool choleskyHelper(const Arguments& a) {
  const at::Tensor &self = tensor(a, 0), &factor = tensor(a, 1);
  if (self.dim() < 2 || factor.dim() != self.dim() || self.numel() == 0) return true;
  return factor.size(-1) != factor.size(-2) || factor.size(-1) != self.size(-2) ||
         self.sizes().slice(0, self.dim() - 2) != factor.sizes().slice(0, self.dim() - 2);
}

bool withoutDimensions(const Arguments& a) {
  const auto list = a.at(0).toTensorVector();
  return std::any_of(list.begin(), list.end(),
                     [](const at::Tensor& each) { return each.dim() == 0; });
}

bool csrIndices(const Arguments& a) {
  const at::Tensor &crow = tensor(a, 0), &col = tensor(a, 1);
  if (crow.dim() != 1 || col.dim() != 1 || crow.numel() == 0 ||
      crow.scalar_type() != col.scalar_type() || !at::isIntegralType(crow.scalar_type(), false))
    return true;
  if (crow[0].item<int64_t>() != 0 || crow[-1].item<int64_t>() != col.numel()) return true;
  return crow.numel() > 1 && crow.diff().min().item<int64_t>() < 0;
}

bool cooIndices(const Arguments& a) {
  return tensor(a, 0).dim() != 1 || a.at(1).toInt() < 0 ||
         outside(tensor(a, 0), 0, a.at(1).toInt());
}

bool transformDims(const Arguments& a) {
  const int64_t dims = tensor(a, 0).dim();
  const auto list = a.at(1).toIntVector();
  return std::any_of(list.begin(), list.end(), [&](int64_t dim) { return dim < 0 || dim >= dims; });
}

bool lentMemory(const Arguments& a) {
  return tensor(a, 0).has_storage() && !tensor(a, 0).storage().resizable();
}

bool listsDifferInLength(const Arguments& a) {
  return a.at(0).toTensorVector().size() != a.at(1).toTensorVector().size();
}
bool threeListsDiffer(const Arguments& a) {
  return listsDiffer(a, 3);
}
bool fourListsDiffer(const Arguments& a) {
  return listsDiffer(a, 4);
}
bool firstTwoDiffer(const Arguments& a) {
  return tensor(a, 0).sizes() != tensor(a, 1).sizes();
}
bool empty(const Arguments& a) {
  return tensor(a, 0).numel() == 0;
}
bool integers(const Arguments& a) {
  return at::isIntegralType(tensor(a, 0).scalar_type(), true) ||
         at::isIntegralType(tensor(a, 1).scalar_type(), true);
}

bool packConvolution(const Arguments& a) {
  const at::Tensor &input = tensor(a, 0), &weight = tensor(a, 1);
  if (input.dim() != 4 || weight.dim() != 4 || input.numel() == 0 || weight.numel() == 0)
    return true;
  return input.scalar_type() != at::kFloat || weight.scalar_type() != at::kFloat ||
         input.size(1) != weight.size(1) || notOfSize(a, 2, weight.size(0));
}

bool packedBatches(const Arguments& a) {
  return tensor(a, 0).dim() == 0 || batchSizes(tensor(a, 1), tensor(a, 0).size(0));
}

bool pairDistances(const Arguments& a) {
  const at::Tensor& self = tensor(a, 1);
  if (self.dim() != 2 || self.numel() == 0) return true;
  const int64_t pairs = self.size(0) * (self.size(0) - 1) / 2;
  return tensor(a, 0).numel() != pairs || tensor(a, 3).numel() != pairs;
}

bool crossDistances(const Arguments& a) {
  const at::Tensor &grad = tensor(a, 0), &x1 = tensor(a, 1), &x2 = tensor(a, 2);
  if (x1.dim() < 2 || x2.dim() < 2 || grad.dim() < 2 || grad.sizes() != tensor(a, 4).sizes() ||
      x1.numel() == 0 || x2.numel() == 0)
    return true;
  return grad.size(-2) != x1.size(-2) || grad.size(-1) != x2.size(-2) ||
         x1.size(-1) != x2.size(-1) ||
         grad.sizes().slice(0, grad.dim() - 2) != x1.sizes().slice(0, x1.dim() - 2) ||
         x1.sizes().slice(0, x1.dim() - 2) != x2.sizes().slice(0, x2.dim() - 2);
}

bool aliasOutside(const Arguments& a) {
  const at::Tensor& self = tensor(a, 0);
  const auto size = a.at(1).toIntVector(), stride = a.at(2).toIntVector();
  if (size.size() != stride.size() || self.layout() != at::kStrided) return true;
  __int128 last = self.storage_offset();
  for (size_t i = 0; i < size.size(); ++i) {
    if (size[i] == 0) return false;
    if (size[i] < 0 || stride[i] < 0) return true;
    last += static_cast<__int128>(size[i] - 1) * stride[i];
  }
  return (last + 1) * static_cast<__int128>(self.itemsize()) >
         static_cast<__int128>(self.storage().nbytes());
}

bool weightNorm(const Arguments& a) {
  return normSizes(tensor(a, 0), tensor(a, 1), a.at(2).toInt());
}

bool weightNormBackward(const Arguments& a) {
  const at::Tensor& v = tensor(a, 1);
  return tensor(a, 0).sizes() != v.sizes() || normSizes(v, tensor(a, 2), a.at(4).toInt()) ||
         tensor(a, 3).numel() != tensor(a, 2).numel();
}

bool noiseIntoOut(const Arguments& a) {
  return a.at(4).toBool() && tensor(a, 6).sizes() != tensor(a, 0).sizes();
}

bool kernelOfOtherSize(const Arguments& a) {
  const at::Tensor& weight = tensor(a, 1);
  const auto kernel = a.at(2).toIntVector();
  return weight.dim() != 5 || weight.numel() == 0 || kernel.size() != 3 ||
         weight.sizes().slice(2) != at::IntArrayRef(kernel);
}

bool rangeStepBelowOne(const Arguments& a) {
  return !null(a, 3) && at::isIntegralType(a.at(3).toScalarType(), true) && belowOne(a.at(2));
}
bool rangeOutStepBelowOne(const Arguments& a) {
  return at::isIntegralType(tensor(a, 3).scalar_type(), true) && belowOne(a.at(2));
}

bool batchDimsOutside(const Arguments& a) {
  return a.at(2).toInt() < 0 || a.at(2).toInt() > tensor(a, 0).dim();
}

bool sobolState(const Arguments& a) {
  const at::Tensor& state = tensor(a, 0);
  return state.dim() != 2 || state.scalar_type() != at::kLong || a.at(1).toInt() < 1 ||
         state.size(0) < a.at(1).toInt() || state.size(1) != 30;
}

bool paddedGradient(const Arguments& a) {
  const at::Tensor &grad = tensor(a, 0), &self = tensor(a, 1);
  const auto padding = a.at(2).toIntVector();
  if (grad.dim() != self.dim() || self.dim() < 2 || self.numel() == 0 || padding.size() != 2)
    return true;
  return grad.size(-1) != self.size(-1) + padding[0] + padding[1] ||
         grad.sizes().slice(0, self.dim() - 1) != self.sizes().slice(0, self.dim() - 1);
}

bool unfoldedGradient(const Arguments& a) {
  return tensor(a, 0).dim() != static_cast<int64_t>(a.at(1).toIntVector().size()) + 1;
}

bool projectedHeads(const Arguments& a) {
  const at::Tensor& qkv = tensor(a, 0);
  const int64_t heads = a.at(2).toInt();
  return qkv.is_nested() || qkv.dim() != 3 || heads < 1 || qkv.size(2) % (3 * heads) != 0 ||
         tensor(a, 1).numel() != qkv.size(2);
}

bool observedRanges(const Arguments& a) {
  const int64_t channels = tensor(a, 3).numel();
  if (channels == 0 || tensor(a, 0).numel() == 0 || tensor(a, 1).numel() == 0 ||
      tensor(a, 2).numel() == 0)
    return true;
  return notOfSize(a, 4, channels) || notOfSize(a, 5, channels) || notOfSize(a, 6, channels);
}

bool bags(const Arguments& a) {
  const at::Tensor &indices = tensor(a, 1), &offsets = tensor(a, 2);
  if (indices.dim() != 1 || offsets.dim() != 1) return true;
  return a.at(7).toBool() &&
         (offsets.numel() == 0 || offsets[-1].item<int64_t>() != indices.numel());
}

bool segments(const Arguments& a) {
  const at::Tensor& data = tensor(a, 0);
  const int64_t axis = a.at(5).toInt();
  if (axis < 0 || axis >= data.dim()) return true;
  if (!null(a, 4)) {
    const at::Tensor& offsets = tensor(a, 4);
    if (offsets.dim() != axis + 1 || outside(offsets, 0, data.size(axis) + 1) ||
        offsets.sizes().slice(0, axis) != data.sizes().slice(0, axis))
      return true;
    return offsets.size(axis) > 1 && offsets.numel() > 0 &&
           offsets.diff(1, axis).min().item<int64_t>() < 0;
  }
  if (null(a, 2) || isFalse(a, 6)) return false;
  const at::Tensor& lengths = tensor(a, 2);
  return lengths.dim() != axis + 1 || outside(lengths, 0, data.size(axis) + 1) ||
         (lengths.numel() > 0 && outside(lengths.sum(axis), data.size(axis), data.size(axis) + 1));
}

bool packed4Bit(const Arguments& a) {
  const at::Tensor& input = tensor(a, 0);
  const int64_t block = a.at(2).toInt(), in = a.at(3).toInt(), out = a.at(4).toInt();
  if (input.dim() != 2 || block < 1 || in < 2 || in % 2 != 0 || out < 1 || in % block != 0 ||
      input.size(1) != in || input.numel() == 0)
    return true;
  return tensor(a, 1).nbytes() < static_cast<size_t>(out) * (static_cast<size_t>(in) / 2 +
                                                             static_cast<size_t>(in / block) * 2);
}

bool combination(const Arguments& a) {
  const at::Tensor &input = tensor(a, 0), &coefficients = tensor(a, 1);
  if (input.dim() == 0 || coefficients.dim() != 2 || coefficients.size(1) != input.size(0))
    return true;
  if (a.size() < 3) return false;
  const at::Tensor& out = tensor(a, 2);
  return out.dim() != input.dim() || out.size(0) != coefficients.size(0) ||
         out.sizes().slice(1) != input.sizes().slice(1);
}

bool embeddingGradient(const Arguments& a) {
  const at::Tensor &grad = tensor(a, 0), &indices = tensor(a, 1);
  if (grad.dim() != indices.dim() + 1 || grad.sizes().slice(0, indices.dim()) != indices.sizes())
    return true;
  return outside(indices, 0, a.at(2).toInt());
}

bool quantizedParameters(const Arguments& a) {
  const int64_t numel = a.at(1).toInt();
  const double ratio = a.at(3).toDouble();
  return numel < 1 || numel > tensor(a, 0).numel() || a.at(2).toInt() < 1 ||
         !(ratio > 0 && ratio <= 1) || a.at(4).toInt() < 1 || a.at(4).toInt() > 16;
}

bool pack4Bit(const Arguments& a) {
  return a.at(3).toInt() < 1 || a.at(4).toInt() < 1 || a.at(5).toInt() < 1;
}

bool pooledGradient2d(const Arguments& a) {
  return pooled(a, 2);
}
bool pooledGradient3d(const Arguments& a) {
  return pooled(a, 3);
}

bool nestedSizes(const Arguments& a) {
  const at::Tensor& sizes = tensor(a, 0);
  return sizes.dim() != 2 || sizes.numel() == 0 || sizes.scalar_type() != at::kLong;
}

bool recurrentWeights(const Arguments& a) {
  return weightsMissing(a, 2);
}
bool packedRecurrentWeights(const Arguments& a) {
  return tensor(a, 0).dim() == 0 || weightsMissing(a, 3) ||
         batchSizes(tensor(a, 1), tensor(a, 0).size(0));
}

}  // namespace sae_eval::unsafe
