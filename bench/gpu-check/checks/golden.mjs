/** The four golden cases of the eight kinds against the numbers of the PyTorch scripts. */
import { run } from '../../../dist/src/evaluation/run/run.js';
import { expect } from '../checks.mjs';
import { goldenCases, requestOfCase } from '../requests.mjs';

/** The promised tolerance, relative: as on the CPU (test/evaluation/golden.test.ts). */
const toleranceOf = (field) => (field.startsWith('NormMSE') ? 1e-4 : 1e-3);

/** Numbers of a kind by field: [name, found, wanted]. */
function pairsOf(wanted, found) {
  return Object.entries(wanted)
    .filter(([field, value]) => typeof value === 'number' && field !== 'layer')
    .map(([field, value]) => [field, found[field]?.mean ?? found[field], value]);
}

/** The number that is the farthest from its expectation, in tolerances. */
function farthest(results, wanted, protocol) {
  let most = { off: -1, what: 'nothing was compared' };
  for (const [kind, numbers] of Object.entries(wanted)) {
    const found = results.find((each) => each.label === kind)[protocol];
    for (const [field, value, expected] of pairsOf(numbers, found)) {
      const relative = Math.abs(value - expected) / Math.max(Math.abs(expected), 1e-2);
      const off = relative / toleranceOf(field);
      if (!(off <= most.off))
        most = { off, what: `${kind} ${protocol} ${field}: ${value}, expected ${expected}` };
    }
  }
  return most;
}

export const checks = ({ root, device, deviceName }) => {
  const strict = goldenCases(root, 'expected-strict.json');
  return [...goldenCases(root, 'expected.json').values()].map((one) => ({
    name: `golden numbers, case ${one.name}`,
    body: async () => {
      const { results, config } = await run(requestOfCase(one, { root, device }));
      expect(config.deviceName === deviceName, `the result names the device ${config.deviceName}`);
      const found = [
        farthest(results, one.results, 'reference'),
        farthest(results, strict.get(one.name).results, 'strict'),
      ];
      const { off, what } = found[0].off >= found[1].off ? found[0] : found[1];
      expect(off >= 0 && off <= 1, `${what} (${off.toFixed(2)} of the tolerance)`);
      return `at most ${off.toPrecision(2)} of the tolerance`;
    },
  }));
};
