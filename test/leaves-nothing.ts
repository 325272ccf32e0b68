/**
 * Checks of the files that share a process: each leaves its settings as it found them, but for the
 * number of threads and the inference mode, which every evaluation sets for itself. A test's
 * tensors are freed at its end, and a file's at the file's: tests count the tensors that are alive,
 * and the garbage collector must not free those of earlier tests under them.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, aroundAll, aroundEach, beforeAll, expect } from 'vitest';
import {
  asyncScope,
  memory,
  numThreads,
  setInferenceMode,
  setNumThreads,
} from '#src/torch/index.js';

/** Settings of the process. */
const settings = (): object => ({
  environment: { ...process.env },
  folder: process.cwd(),
  umask: process.umask(),
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

aroundEach((runTest) => asyncScope(runTest));
aroundAll(async (runFile) => {
  await asyncScope(runFile);
  // Whatever left its scopes and was forgotten goes now, not while the next file counts.
  for (let round = 0; memory().handles > 0 && round < 20; round++) {
    collectGarbage();
    await new Promise(setImmediate);
  }
  expect(memory().handles).toBe(0);
});

let before: object;
let threads: number;

beforeAll(() => {
  // Loads libtorch, which sets variables once.
  threads = numThreads();
  before = settings();
});
afterAll(() => {
  setNumThreads(threads);
  setInferenceMode(false);
  expect(settings()).toEqual(before);
});
