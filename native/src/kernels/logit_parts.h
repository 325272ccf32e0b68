// The comparison of one row of clean logits with one row of a lane's, in parts that can be computed
// side by side: each part sums every `step`-th chunk of the row, and parts merge in any order.
//
// This text is compiled twice: for the host, as part of the addon, and for CUDA devices, by NVRTC
// when a process first needs it. So it includes nothing.
//
//   KL(p ‖ q) = Σ p (a − b) − lse(a) + lse(b),   p = softmax(a), q = softmax(b)
#ifdef __CUDACC_RTC__
#define PART_OF_BOTH __device__ __forceinline__
#else
#define PART_OF_BOTH inline
#endif

namespace logit_parts {

struct Bfloat16 {
  unsigned short bits;
};
struct Float16 {
  unsigned short bits;
};

PART_OF_BOTH float bitsAsFloat(unsigned int bits) {
#ifdef __CUDACC_RTC__
  return __uint_as_float(bits);
#else
  float value;
  static_assert(sizeof(value) == sizeof(bits), "float has 32 bits");
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
#endif
}

PART_OF_BOTH float asFloat(float value) {
  return value;
}
PART_OF_BOTH float asFloat(Bfloat16 value) {
  return bitsAsFloat(static_cast<unsigned int>(value.bits) << 16);
}
PART_OF_BOTH float asFloat(Float16 value) {
  const unsigned int sign = (value.bits & 0x8000u) << 16;
  const unsigned int exponent = value.bits >> 10 & 0x1fu;
  const unsigned int mantissa = value.bits & 0x3ffu;
  if (exponent == 31) return bitsAsFloat(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0) return bitsAsFloat(sign | (exponent + 112) << 23 | mantissa << 13);
  // Subnormal: mantissa · 2⁻²⁴.
  const float value24 = static_cast<float>(mantissa) * 5.9604644775390625e-8f;
  return sign != 0 ? -value24 : value24;
}

// Sums over some logits of a row, under the maxima of these logits.
struct Part {
  double maxA, sumA;  // sumA = Σ exp(a − maxA)
  double maxB, sumB;
  double difference;  // Σ exp(a − maxA) (a − b)
};

constexpr double nothingYet = -1.7976931348623157e308;  // below every finite logit

PART_OF_BOTH Part noPart() {
  return {nothingYet, 0, nothingYet, 0, 0};
}

PART_OF_BOTH double larger(double a, double b) {
  return a > b ? a : b;
}

// exp(from − to), and 0 if nothing was seen before.
PART_OF_BOTH double scaleTo(double from, double to) {
  return from == nothingYet ? 0 : exp(from - to);
}

PART_OF_BOTH void merge(Part& into, const Part& other) {
  const double maxA = larger(into.maxA, other.maxA);
  const double maxB = larger(into.maxB, other.maxB);
  const double ownA = scaleTo(into.maxA, maxA), otherA = scaleTo(other.maxA, maxA);
  into.sumA = into.sumA * ownA + other.sumA * otherA;
  into.difference = into.difference * ownA + other.difference * otherA;
  into.sumB = into.sumB * scaleTo(into.maxB, maxB) + other.sumB * scaleTo(other.maxB, maxB);
  into.maxA = maxA;
  into.maxB = maxB;
}

constexpr int chunk = 8;

// The part of a row of `columns` logits that begins at chunk `first` and takes every `step`-th one.
// Sums are float32 within the part.
template <typename T>
PART_OF_BOTH Part partOfRow(const T* a, const T* b, long long columns, long long first,
                            long long step) {
  float maxA = -3.4028234663852886e38f, maxB = maxA;
  float sumA = 0, sumB = 0, difference = 0;
  bool isEmpty = true;
  for (long long from = first * chunk; from < columns; from += step * chunk) {
    const int count = columns - from < chunk ? static_cast<int>(columns - from) : chunk;
    float chunkA[chunk], chunkB[chunk];
    float highA = maxA, highB = maxB;
    for (int i = 0; i < count; ++i) {
      chunkA[i] = asFloat(a[from + i]);
      chunkB[i] = asFloat(b[from + i]);
      highA = chunkA[i] > highA ? chunkA[i] : highA;
      highB = chunkB[i] > highB ? chunkB[i] : highB;
    }
    const float scaleA = isEmpty ? 0 : expf(maxA - highA);
    sumA *= scaleA;
    difference *= scaleA;
    sumB *= isEmpty ? 0 : expf(maxB - highB);
    for (int i = 0; i < count; ++i) {
      const float e = expf(chunkA[i] - highA);
      sumA += e;
      difference += e * (chunkA[i] - chunkB[i]);
      sumB += expf(chunkB[i] - highB);
    }
    maxA = highA;
    maxB = highB;
    isEmpty = false;
  }
  if (isEmpty) return noPart();
  return {maxA, sumA, maxB, sumB, difference};
}

// Adds a part to a row's running sums, the 7 columns of `compare_logits_`, with the logits of the
// next token if its `label` is among the `columns` tokens.
template <typename T>
PART_OF_BOTH void addToRow(double* row, const Part& part, const T* a, const T* b, long long columns,
                           long long label) {
  const bool isFirst = row[1] == 0 && row[3] == 0;
  Part total = isFirst ? noPart() : Part{row[0], row[1], row[2], row[3], row[4]};
  merge(total, part);
  row[0] = total.maxA;
  row[1] = total.sumA;
  row[2] = total.maxB;
  row[3] = total.sumB;
  row[4] = total.difference;
  if (label < 0 || label >= columns) return;
  row[5] = asFloat(a[label]);
  row[6] = asFloat(b[label]);
}

}  // namespace logit_parts

#ifdef __CUDACC_RTC__

constexpr int threads = 256;

// A block for each row and lane: grid (n, lanes).
template <typename T>
__device__ void compareRow(double* sums, const T* clean, const T* lanes, const long long* labels,
                           long long from, long long columns) {
  using namespace logit_parts;
  const long long row = blockIdx.x, n = gridDim.x, lane = blockIdx.y;
  const T* a = clean + row * columns;
  const T* b = lanes + (lane * n + row) * columns;
  __shared__ Part parts[threads];
  parts[threadIdx.x] = partOfRow(a, b, columns, threadIdx.x, threads);
  __syncthreads();
  for (int half = threads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) merge(parts[threadIdx.x], parts[threadIdx.x + half]);
    __syncthreads();
  }
  if (threadIdx.x == 0)
    addToRow(sums + (lane * n + row) * 7, parts[0], a, b, columns, labels[row] - from);
}

extern "C" __global__ void compare_float(double* sums, const float* clean, const float* lanes,
                                         const long long* labels, long long from,
                                         long long columns) {
  compareRow(sums, clean, lanes, labels, from, columns);
}
extern "C" __global__ void compare_bfloat16(double* sums, const logit_parts::Bfloat16* clean,
                                            const logit_parts::Bfloat16* lanes,
                                            const long long* labels, long long from,
                                            long long columns) {
  compareRow(sums, clean, lanes, labels, from, columns);
}
extern "C" __global__ void compare_float16(double* sums, const logit_parts::Float16* clean,
                                           const logit_parts::Float16* lanes,
                                           const long long* labels, long long from,
                                           long long columns) {
  compareRow(sums, clean, lanes, labels, from, columns);
}

#endif
