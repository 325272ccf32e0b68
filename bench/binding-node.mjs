/**
 * Time of the calls of binding.mjs from Node.js: {"name": seconds per call, …} on standard output,
 * the median of five batches after one that warms up. Arguments: threads, then NAME=CALLS for each
 * measurement.
 */
import { manualSeed, ops, scope, setInferenceMode, setNumThreads } from '#src/torch/index.js';

const [threads, ...wanted] = process.argv.slice(2);
setNumThreads(Number(threads));
setInferenceMode(true);
manualSeed(0);
const [a, b, x, y] = [ops.randn([4]), ops.randn([4]), ops.randn([16, 16]), ops.randn([16, 16])];
const [m, n] = [ops.randn([2048, 2048]), ops.randn([2048, 2048])];
const [p, q] = [m.to({ dtype: 'bfloat16' }), n.to({ dtype: 'bfloat16' })];
const { add, mul, relu, sub, matmul } = ops;

const calls = {
  add: () => add(a, b).dispose(),
  // add, with the operator looked up again and a scope around it, as casual code has it.
  addInScope: () => scope(() => void a.add(b)),
  chain: () =>
    scope(() => {
      let z = x;
      for (let i = 0; i < 25; i++) z = sub(relu(mul(add(z, y), 0.5)), y);
    }),
  matmul: () => matmul(m, n).dispose(),
  matmulBf16: () => matmul(p, q).dispose(),
};

function measure(call, count) {
  const times = [];
  for (let batch = 0; batch < 6; batch++) {
    const start = performance.now();
    for (let i = 0; i < count; i++) call();
    if (batch > 0) times.push((performance.now() - start) / 1000 / count);
  }
  return times.sort((s, t) => s - t)[2];
}

console.log(
  JSON.stringify(
    Object.fromEntries(
      wanted
        .map((word) => word.split('='))
        .map(([name, count]) => [name, measure(calls[name], Number(count))]),
    ),
  ),
);
