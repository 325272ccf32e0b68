/** Times of the operators of which an evaluation consists. */
import { kernels, ops, scope, setInferenceMode } from '../../../dist/src/torch/index.js';
import { milliseconds, rate } from '../measured.mjs';

/** Shapes of a model of a billion parameters; small ones on the simulated device. */
function sizesOf(simulated) {
  return simulated
    ? { n: 16, d: 32, m: 256, lanes: 2, columns: [64, 128], numbers: 2 ** 12, repeat: 2 }
    : {
        ...{ n: 1024, d: 2048, m: 16_384, lanes: 4, columns: [1024, 16_384, 32_768] },
        ...{ numbers: 2 ** 26, repeat: 20 },
      };
}

export const checks = ({ device, simulated }) => {
  const { n, d, m, lanes, columns, numbers, repeat } = sizesOf(simulated);
  const time = (body, options = {}) => milliseconds(device, body, { repeat, ...options });
  const randn = (...shape) => ops.randn(shape, { device });
  /** A row for `measure`, all of whose tensors are freed after it. */
  const bench = (name, measure) => ({
    name,
    body: () => {
      setInferenceMode(true);
      let detail;
      scope(() => {
        detail = measure();
        return null;
      });
      return detail;
    },
  });
  return [
    bench('launch', () => {
      const [x, y] = [randn(16), randn(16)];
      const ms = time(() => x.add(y), { repeat: 50 * repeat });
      return `${(1000 * ms).toFixed(2)} µs for a sum of 16 numbers`;
    }),
    bench('products', () => {
      const each = ['float32', 'bfloat16'].map((dtype) => {
        const [x, w] = [randn(4 * n, d).to({ dtype }), randn(4 * d, d).to({ dtype })];
        const ms = time(() => ops.linear(x, w, null));
        return `${dtype} ${((2 * 4 * n * d * 4 * d) / ms / 1e9).toPrecision(3)} TFLOP/s`;
      });
      return each.join(', ');
    }),
    bench('comparison of logits', () => {
      const each = columns.map((count) => {
        const [clean, spliced] = [randn(n, count), randn(lanes, n, count)];
        const labels = ops.zeros([n], { device, dtype: 'int64' });
        const sums = ops.zeros([lanes, n, 7], { device, dtype: 'float64' });
        const ms = time(() => kernels.addLogits(sums, clean, spliced, labels, 0));
        const bytes = 4 * (lanes + 1) * n * count;
        return `${count} columns ${ms.toFixed(3)} ms, ${rate(bytes, ms)}`;
      });
      return each.join('; ');
    }),
    bench('TopK, sum of rows, dense product', () => {
      const [a, w] = [randn(n, m), randn(m, d)];
      const k = Math.min(64, m);
      const [values, indices] = a.topk(k);
      const offsets = ops.arange(0, n * k, k, { device });
      const latents = ops.zeros([n, m], { device }).scatter_(-1, indices, values);
      const [flat, factors] = [indices.reshape([-1]), values.reshape([-1])];
      const options = { mode: 0, per_sample_weights: factors };
      const top = time(() => kernels.keepLargest(a, k));
      const rows = time(() => ops.embedding_bag(w, flat, offsets, options));
      const dense = time(() => ops.matmul(latents, w));
      return [top, rows, dense].map((ms) => `${ms.toFixed(3)} ms`).join(', ');
    }),
    bench('RMS norm', () => {
      const [x, w] = [randn(4 * n, d), randn(d)];
      const ms = time(() => kernels.rmsNorm(x, w, 1e-5));
      return `${ms.toFixed(3)} ms, ${rate(2 * 4 * 4 * n * d, ms)}`;
    }),
    bench('weights to the device', () => {
      const x = ops.randn([numbers]);
      const up = (body) => rate(4 * numbers, time(body, { repeat: 3, warm: 1 }));
      const dtype = 'bfloat16';
      return [
        `as they are ${up(() => x.to({ device }))}`,
        `converted there ${up(() => x.to({ device }).to({ dtype }))}`,
        `converted on the host ${up(() => x.to({ dtype }).to({ device }))}`,
      ].join(', ');
    }),
  ];
};
