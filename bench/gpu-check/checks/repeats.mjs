/** The same bits in a second run, and in one that continues from a journal. */
import { join } from 'node:path';
import { run } from '../../../dist/src/evaluation/run/run.js';
import { expect } from '../checks.mjs';
import { fewSamples } from '../requests.mjs';

const bitsOf = ({ results }) => JSON.stringify(results);

export const checks = (settings) => {
  const request = fewSamples(settings);
  let first;
  return [
    {
      name: 'two runs give the same bits',
      body: async () => {
        first = bitsOf(await run(request));
        expect(bitsOf(await run(request)) === first, 'two runs differ');
      },
    },
    {
      name: 'a run continues from its journal with the same bits',
      body: async () => {
        const journal = join(settings.work, 'journal');
        const stop = new AbortController();
        const stopped = await run(request, {
          journal,
          signal: stop.signal,
          onBatch: () => stop.abort(),
        }).then(
          () => 'no error',
          ({ code }) => code,
        );
        expect(stopped === 'cancelled', `the run that was to be stopped gave ${stopped}`);
        const result = await run(request, { journal });
        const [refused] = result.data.warnings
          .map(({ en }) => en)
          .filter((en) => /journal/.test(en));
        expect(refused === undefined, refused);
        expect(bitsOf(result) === first, 'the continued run differs');
      },
    },
  ];
};
