/** Kernels against the ATen operators they stand for, and the best matmul of the machine. */
import {
  kernels,
  linear,
  linearWidened,
  multipliesNatively,
  ops,
  scope,
  setInferenceMode,
  versions,
} from '../dist/src/torch/index.js';
import { LogitSums } from '../dist/src/evaluation/engine/compare-logits.js';

/** The best of some rounds, in milliseconds. */
function best(rounds, body) {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    scope(() => {
      body();
      return null;
    });
    least = Math.min(least, performance.now() - started);
  }
  return least;
}

const shapes = [
  [1024, 2048, 8192],
  [1024, 8192, 2048],
  [1024, 2048, 16_384],
  [1024, 2048, 128_256],
  [2048, 2048, 2048],
];

/**
 * GFLOP/s of x Wᵀ by dtype: of each shape and the best, by libtorch's own operator and, where
 * oneDNN is wider, by that.
 */
export async function bestMatmul() {
  setInferenceMode(true);
  const measured = { cpu: versions().cpu };
  const measure = (dtype, multiply) => {
    const each = shapes.map(([n, k, m]) =>
      scope(() => {
        const x = ops.randn([n, k]).to({ dtype });
        const w = ops.randn([m, k]).to({ dtype });
        return (2 * n * k * m) / best(m > 100_000 ? 2 : 5, () => multiply(x, w)) / 1e6;
      }),
    );
    return {
      best: Math.max(...each),
      shapes: shapes.map((shape, i) => ({ shape, gflops: each[i] })),
    };
  };
  for (const dtype of ['float32', 'bfloat16']) measured[dtype] = measure(dtype, ops.linear);
  if (kernels.onednnIsWider()) measured.float32Onednn = measure('float32', linear);
  return measured;
}

/** Milliseconds of each kernel and of the operators it stands for. */
export async function compareKernels() {
  setInferenceMode(true);
  const rows = [];
  const add = (name, shape, composed, fused) =>
    rows.push({ name, shape, composed: best(5, composed), fused: best(5, fused) });
  for (const dtype of ['float32', 'bfloat16']) {
    const a = ops.randn([256, 128_256]).mul(3).to({ dtype });
    const b = a.add(ops.randn([256, 128_256]).mul(0.2).to({ dtype }));
    const labels = ops.randint(128_256, [256]);
    add(
      `KL and both cross-entropies, ${dtype}`,
      [256, 128_256],
      () => {
        const [p, q] = [
          a.to({ dtype: 'float32' }).log_softmax(-1),
          b.to({ dtype: 'float32' }).log_softmax(-1),
        ];
        p.exp().mul(p.sub(q)).sum([-1]);
        for (const each of [p, q]) each.gather(-1, labels.unsqueeze(-1)).neg();
      },
      () => {
        const sums = new LogitSums(labels);
        sums.add(a, b.unsqueeze(0), { from: 0 });
        sums.finish();
      },
    );
    for (const used of [a, b, labels]) used.dispose();
  }
  const wide = ops.randn([1024, 16_384]);
  add(
    '64 largest',
    [1024, 16_384],
    () => ops.topk(wide, 64, { dim: -1, sorted: false }),
    () => kernels.keepLargest(wide, 64),
  );
  const h = ops.randn([1024, 2048]);
  add(
    'pre(h)',
    [1024, 2048],
    () => {
      const centred = h.sub(h.mean([-1], { keepdim: true }));
      centred.div(
        ops.linalg_vector_norm(centred, 2, [-1], { keepdim: true }).div(Math.sqrt(2047)).add(1e-6),
      );
    },
    () => kernels.standardize(h),
  );
  const weight = ops.ones([2048]);
  add(
    'RMS norm',
    [1024, 2048],
    () => ops.rms_norm(h, [2048], weight, 1e-5),
    () => kernels.rmsNorm(h, weight, 1e-5),
  );
  for (const [B, T, H, G, hd] of [
    [2, 512, 32, 8, 64],
    [8, 256, 4, 2, 32],
  ]) {
    const [q, k, v] = [H, G, G].map((heads) => ops.randn([B, T, heads, hd]));
    const angles = ops.outer(ops.arange(T, { dtype: 'float32' }), ops.randn([hd / 2]));
    const [cosines, sines] = [
      ops.cat([angles.cos(), angles.cos()], -1),
      ops.cat([angles.sin(), angles.sin()], -1),
    ];
    const turn = (x) => {
      const y = x.transpose(1, 2);
      const [one, two] = y.chunk(2, -1);
      return y.mul(cosines).addcmul_(ops.cat([two.neg(), one], -1), sines);
    };
    add(
      'rotary positions and attention',
      [B, T, H, hd],
      () =>
        ops
          .scaled_dot_product_attention(turn(q), turn(k), v.transpose(1, 2), {
            is_causal: true,
            enable_gqa: true,
          })
          .transpose(1, 2)
          .reshape([B, T, H * hd]),
      () =>
        kernels.attend(
          q,
          k,
          v,
          Array.from({ length: B }, () => T),
          cosines,
          sines,
          hd ** -0.5,
        ),
    );
  }
  const [x, w] = [ops.randn([1024, 2048]), ops.randn([8192, 2048])];
  if (kernels.onednnIsWider())
    add(
      'float32 product by oneDNN',
      [1024, 2048, 8192],
      () => ops.linear(x, w),
      () => linear(x, w),
    );
  if (kernels.hasBfloat16Unit())
    add(
      'float32 product from parts',
      [1024, 2048, 8192],
      () => ops.linear(x, w),
      () => kernels.linearFromParts(x, w),
    );
  for (const dtype of ['bfloat16', 'float16']) {
    const [halfX, halfW] = [x.to({ dtype }), w.to({ dtype })];
    if (multipliesNatively(halfX)) continue;
    add(
      `${dtype} product through float32`,
      [1024, 2048, 8192],
      () => ops.linear(halfX, halfW),
      () => linearWidened(halfX, halfW),
    );
  }
  return { rows };
}
