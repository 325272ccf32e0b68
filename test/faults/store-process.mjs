// Does the steps of store-steps.mjs on the store of argv[2], and prints `done STEP` after each.
// After
// a fault it tries again up to argv[3] times, then ends with exit code 3. With `read` in argv[3] it
// prints what is served.
import { writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Store } from '#server/jobs/store.js';
import { stateOf, steps } from './store-steps.mjs';

const [, , file, tries] = process.argv;
const store = new Store(file);
if (tries === 'read') {
  writeSync(1, `${stateOf(store)}\n`);
  process.exit(0);
}
for (const [index, step] of steps.entries()) {
  for (let left = Number(tries); ; left--) {
    try {
      step(store);
      break;
    } catch (thrown) {
      writeSync(1, `fault ${thrown.code}\n`);
      if (left === 0) process.exit(3);
      await setTimeout(2);
    }
  }
  writeSync(1, `done ${index + 1}\n`);
}
store.close();
