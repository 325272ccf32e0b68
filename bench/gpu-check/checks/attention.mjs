/**
 * Attention: which of libtorch's kernels for segments the device has, their numbers, and what a
 * shape costs that was not seen before.
 */
import { cuda, manualSeed, operator, ops, scope, tensor } from '../../../dist/src/torch/index.js';
import { attend } from '../../../dist/src/lm/attention.js';
import { attendSegments } from '../../../dist/src/lm/attention-segments.js';
import { BatchContext } from '../../../dist/src/lm/batch-context.js';
import { expect, skip } from '../checks.mjs';

/** Bound of the deviation from the CPU's float32 for numbers of size 1. */
const tolerance = { float32: 1e-4, bfloat16: 2e-2, float16: 3e-3 };

const shapes = [
  { name: 'all heads', heads: 4, keyHeads: 4, headDim: 64 },
  { name: 'grouped queries', heads: 8, keyHeads: 2, headDim: 128 },
  { name: 'heads of 256', heads: 2, keyHeads: 1, headDim: 256 },
  { name: 'heads of 20, padded', heads: 2, keyHeads: 2, headDim: 20 },
  { name: 'a window', heads: 4, keyHeads: 2, headDim: 64, window: 5, paddedQueries: false },
];

function headsOf({ heads, keyHeads, headDim }, [rows, T], options = {}) {
  const randn = (count) => ops.randn([rows, T, count, headDim], options);
  return { q: randn(heads), k: randn(keyHeads), v: randn(keyHeads) };
}

const moved = ({ q, k, v }, options) => ({
  q: q.to(options),
  k: k.to(options),
  v: v.to(options),
});

function contextOn(device, dtype, { lengths, T, paddedQueries }) {
  return new BatchContext({ lengths, T, seqLen: T, device, dtype, paddedQueries });
}

/** Largest deviation of the device's attention from the CPU's, over the positions that are read. */
function deviation(device, dtype, shape) {
  return scope(() => {
    manualSeed(1);
    const { window = null, paddedQueries = true, headDim } = shape;
    const batch = { lengths: [19, 1, 33, 7], T: 33, paddedQueries };
    const rounded = moved(headsOf(shape, [8, batch.T]), { dtype });
    const options = { rope: null, softcap: null, scale: headDim ** -0.5, window };
    const [here, there] = [contextOn('cpu', 'float32', batch), contextOn(device, dtype, batch)];
    const wanted = attend(moved(rounded, { dtype: 'float32' }), here, options); // [8, T, H·hd]
    const found = attendSegments(moved(rounded, { device }), there, options).flatten(2, 3);
    const off = found.cpu().to({ dtype: 'float32' }).sub(wanted).abs();
    const largest = Math.max(
      ...[0, 1].flatMap((copy) =>
        batch.lengths.map((length, row) => {
          const rows = off.select(0, copy * 4 + row);
          return rows
            .narrow(0, 0, paddedQueries ? batch.T : length)
            .max()
            .item();
        }),
      ),
    );
    here.dispose();
    there.dispose();
    return largest;
  });
}

/** Seconds of one attention of each length, the device's work included. */
function secondsOf(device, dtype, lengths) {
  cuda.synchronize(device);
  const from = performance.now();
  for (const T of lengths)
    scope(() => {
      const shape = { heads: 32, keyHeads: 8, headDim: 64 };
      const context = contextOn(device, dtype, { lengths: [T, T - 3], T });
      const heads = headsOf(shape, [2, T], { device, dtype });
      attendSegments(heads, context, { rope: null, softcap: null, scale: 0.125, window: null });
      context.dispose();
      return null;
    });
  cuda.synchronize(device);
  return (performance.now() - from) / 1000 / lengths.length;
}

/** The answer of libtorch's operator for segments to one head dimension: `yes` or its refusal. */
function answerOf(device, dtype, headDim) {
  try {
    return scope(() => {
      const [q, k, v] = [0, 1, 2].map(() => ops.randn([24, 2, headDim], { device, dtype }));
      const bounds = tensor([0, 7, 24], { device, dtype: 'int32' });
      if (dtype === 'float32') {
        const [one, two, three] = [q, k, v].map((x) => x.unsqueeze(0));
        const efficient = operator('_efficient_attention_forward');
        efficient(one, two, three, null, bounds, bounds, 17, 17, 0, 2, { scale: 0.1 });
      } else {
        const flash = operator('_flash_attention_forward');
        flash(q, k, v, bounds, bounds, 17, 17, 0, true, false, { scale: 0.1 });
      }
      cuda.synchronize(device);
      return 'yes';
    });
  } catch (error) {
    return error.message.split('\n')[0];
  }
}

/** Lengths of 30 batches. */
const lengths = Array.from({ length: 30 }, (_, i) => 65 + i);

export const checks = ({ device }) => [
  ...[
    { kernel: 'FlashAttention', dtypes: ['bfloat16', 'float16'] },
    { kernel: 'efficient attention', dtypes: ['float32'] },
  ].map(({ kernel, dtypes }) => ({
    name: `${kernel} on segments in ${dtypes.join(' and ')}`,
    body: () => {
      for (const dtype of dtypes)
        for (const headDim of [64, 128, 256]) {
          const answer = answerOf(device, dtype, headDim);
          // On an older GPU efficient attention takes its place.
          if (/only supports .* GPUs/.test(answer)) skip(answer);
          expect(answer === 'yes', `${dtype}, heads of ${headDim}: ${answer}`);
        }
    },
  })),
  ...Object.keys(tolerance).map((dtype) => ({
    name: `attention on segments in ${dtype} agrees with the CPU`,
    body: () => {
      const found = shapes.map((shape) => [shape.name, deviation(device, dtype, shape)]);
      for (const [name, off] of found)
        expect(off <= tolerance[dtype], `${name}: off by ${off}, at most ${tolerance[dtype]}`);
      return found.map(([name, off]) => `${name} ${off.toExponential(1)}`).join(', ');
    },
  })),
  {
    name: 'what a new shape of attention costs',
    needsGpu: true,
    body: () => {
      const answer = ['bfloat16', 'float32'].map((dtype) => {
        secondsOf(device, dtype, [64]);
        const [first, again] = [0, 1].map(() => 1000 * secondsOf(device, dtype, lengths));
        // A plan for every shape, as cuDNN makes, takes 50 ms and more.
        expect(first < again + 20, `${dtype}: ${first} ms at first, then ${again} ms`);
        return `${dtype} ${first.toFixed(2)} ms, then ${again.toFixed(2)} ms`;
      });
      return `a call of each of 30 lengths: ${answer.join('; ')}`;
    },
  },
];
