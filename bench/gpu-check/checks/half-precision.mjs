/** The effect of half precision: the same evaluation in float32 and in shorter numbers. */
import { run } from '../../../dist/src/evaluation/run/run.js';
import { expect } from '../checks.mjs';
import { fewSamples } from '../requests.mjs';

/** Relative change that half precision may make: four times what it makes on a CPU. */
const most = { NormMSE: 0.005, KLDivPerToken: 0.02 };

const cases = [
  { dtype: 'bfloat16', saeDtype: 'float32' },
  { dtype: 'float16', saeDtype: 'float32' },
  { dtype: 'bfloat16', saeDtype: 'bfloat16' },
];

export const checks = (settings) => {
  let exact;
  return cases.map(({ dtype, saeDtype }) => ({
    name: `language model in ${dtype}, SAEs in ${saeDtype}`,
    body: async () => {
      const request = fewSamples(settings);
      exact ??= await run(request);
      const { results } = await run({ ...request, dtype, saeDtype });
      const changes = results.flatMap(({ label, strict }, i) =>
        Object.keys(most).flatMap((field) => {
          const [value, wanted] = [strict[field]?.mean, exact.results[i].strict[field]?.mean];
          if (wanted === undefined) return [];
          return { label, field, change: Math.abs(value / wanted - 1) };
        }),
      );
      const worst = Object.keys(most).map((field) => {
        const own = changes.filter((each) => each.field === field);
        const found = own.reduce((a, b) => (b.change <= a.change ? a : b));
        const text = `${field} by ${(100 * found.change).toFixed(2)} % (${found.label})`;
        expect(found.change <= most[field], `${text}, at most ${100 * most[field]} %`);
        return text;
      });
      return `changes ${worst.join(', ')} at most`;
    },
  }));
};
