/**
 * The comparison of logits, which a GPU does in one kernel of ours that NVRTC compiles at first use
 * (native/src/kernels/logit_parts.h): against float64, and against the composition of ATen
 * operators, which float64 still takes.
 */
import { cuda, kernels, manualSeed, ops, scope } from '../../../dist/src/torch/index.js';
import { LogitSums } from '../../../dist/src/evaluation/engine/compare-logits.js';
import { expect, secondsSince } from '../checks.mjs';

const float64 = { dtype: 'float64' };

/** KL divergences and both cross-entropies by the definition, in float64: [lanes, n] each. */
function expected(clean, lanes, labels) {
  const p = clean.to(float64).log_softmax(-1); // [n, V]
  const q = lanes.to(float64).log_softmax(-1); // [lanes, n, V]
  const index = labels.unsqueeze(-1);
  const ofLane = (lane) => q.select(0, lane).gather(-1, index).neg().squeeze(-1);
  return [
    p.exp().mul(p.sub(q)).sum([-1]),
    p.gather(-1, index).neg().squeeze(-1).expand([lanes.shape[0], -1]),
    ops.stack(Array.from({ length: lanes.shape[0] }, (_, lane) => ofLane(lane))),
  ];
}

/** The same by the operator, over ranges of `range` tokens. */
function found(clean, lanes, labels, range) {
  const sums = new LogitSums(labels, { lanes: lanes.shape[0] });
  for (let from = 0; from < clean.shape[1]; from += range) {
    const count = Math.min(range, clean.shape[1] - from);
    sums.add(clean.narrow(1, from, count), lanes.narrow(2, from, count), { from });
  }
  const { kl, ceClean, ceSpliced } = sums.finish();
  return [kl, ceClean, ceSpliced];
}

/** Clean logits [n, V], those of three lanes, and next tokens. */
function inputs(device, dtype, [n, V]) {
  manualSeed(n * V);
  const clean = ops.randn([n, V]).mul(4);
  const lanes = clean.add(ops.randn([3, n, V]).mul(0.3));
  const labels = ops.randint(V, [n]).to({ device });
  return [clean.to({ device, dtype }), lanes.to({ device, dtype }), labels];
}

const largest = (x) => x.abs().max().item();

function largestDeviation(some, others) {
  return Math.max(...some.map((x, i) => largest(x.sub(others[i]))));
}

/** float32 sums of terms of size 20 at most. */
const tolerance = 5e-5;

export const checks = ({ device, simulated }) => [
  {
    name: 'the kernel of logits is compiled and used',
    needsGpu: true,
    body: () =>
      scope(() => {
        const [clean, lanes, labels] = inputs(device, 'bfloat16', [8, 4096]);
        const sums = ops.zeros([3, 8, 7], { device, dtype: 'float64' });
        const from = performance.now();
        kernels.addLogits(sums, clean, lanes, labels, 0);
        cuda.synchronize(device);
        const seconds = secondsSince(from);
        // The composition makes float32 copies of the logits, the kernel no tensor at all.
        cuda.resetPeak(device);
        const { allocatedBytes } = cuda.memory(device);
        kernels.addLogits(sums, clean, lanes, labels, 0);
        const taken = cuda.memory(device).peakBytes - allocatedBytes;
        expect(taken === 0, `the call took ${taken} bytes: it is the composition that ran`);
        return `first call ${(1000 * seconds).toFixed(0)} ms`;
      }),
  },
  ...['float32', 'bfloat16', 'float16'].map((dtype) => ({
    name: `comparison of logits in ${dtype} against float64`,
    body: () =>
      scope(() => {
        const shapes = simulated
          ? [
              [3, 7],
              [5, 2049],
            ]
          : [
              [3, 7],
              [64, 4099],
              [16, 128_256],
            ];
        const off = shapes.map((shape) =>
          scope(() => {
            const [clean, lanes, labels] = inputs(device, dtype, shape);
            const wanted = expected(clean, lanes, labels);
            const composite = found(clean.to(float64), lanes.to(float64), labels, shape[1]);
            const difference = Math.max(
              ...[shape[1], Math.ceil(shape[1] / 3)].map((range) => {
                const own = found(clean, lanes, labels, range);
                return Math.max(largestDeviation(own, wanted), largestDeviation(own, composite));
              }),
            );
            expect(difference <= tolerance, `[${shape}]: off by ${difference}`);
            return `[${shape}] ${difference.toExponential(1)}`;
          }),
        );
        return off.join(', ');
      }),
  })),
  {
    name: 'comparison of logits: NaN, infinity, labels outside',
    body: () =>
      scope(() => {
        const clean = ops.zeros([2, 40], { device });
        clean.select(0, 0).narrow(0, 3, 1).fill_(Number.NaN);
        const labels = ops.full([2], 40, { device, dtype: 'int64' });
        const [kl, ceClean] = found(clean, ops.zeros([1, 2, 40], { device }), labels, 16);
        const [first, second] = kl.cpu().toArray()[0];
        expect(Number.isNaN(first), `NaN became ${first}`);
        expect(second === 0, `equal rows have a divergence of ${second}`);
        const entropies = ceClean.cpu().toArray()[0];
        expect(entropies.every(Number.isNaN), 'a label outside has a cross-entropy');
        const hidden = ops.zeros([1, 40], { device });
        hidden.narrow(1, 5, 3).fill_(-Infinity);
        const label = ops.zeros([1], { device, dtype: 'int64' });
        const lanes = ops.zeros([1, 1, 40], { device });
        const [, entropy] = found(hidden, lanes, label, 16);
        const off = Math.abs(entropy.item() - Math.log(37));
        expect(off < 1e-5, `tokens of probability 0 change the cross-entropy by ${off}`);
      }),
  },
];
