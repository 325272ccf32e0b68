// Runs the request of argv[2] in this process with the journal of argv[3], in whole or, with a
// folder
// in argv[4], as shards that are merged; prints the numbers.
import { readFileSync, writeSync } from 'node:fs';
import { run } from '#src/evaluation/run/run.js';
import { WeightCache } from '#src/evaluation/run/weight-cache.js';
import { checkInputs } from '#src/evaluation/run/inputs.js';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { planRun } from '#src/evaluation/shards/make-plan.js';
import { ShardRunner } from '#src/evaluation/shards/runner.js';

const [, , requestFile, journal, folder] = process.argv;
const request = JSON.parse(readFileSync(requestFile, 'utf8'));
try {
  if (folder === undefined) {
    const { results, data } = await run(request, { journal });
    writeSync(1, `${JSON.stringify({ results, warnings: data.warnings.map(({ en }) => en) })}\n`);
  } else {
    const store = new FolderStore(folder);
    const plan = await planRun(await checkInputs(request), store, { shardSamples: 4 });
    const cache = new WeightCache();
    const runner = await ShardRunner.open({ store, plan, group: 0, request, cache });
    for (const index of store.missing(plan)) await runner.run(index);
    runner.close();
    writeSync(1, '"done"\n');
  }
} catch (thrown) {
  writeSync(1, `${JSON.stringify({ code: thrown.code ?? null, message: thrown.message })}\n`);
}
