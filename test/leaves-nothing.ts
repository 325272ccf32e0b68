/**
 * Checks of the files that share a process: each leaves its settings as it found them, but for the
 * number of threads and the inference mode, which every evaluation sets for itself. A test's
 * tensors are freed at its end, and a file's at the file's: tests count the tensors that are alive,
 * and the garbage collector must not free those of earlier tests under them.
 */
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

aroundEach((runTest) => asyncScope(runTest));
aroundAll(async (runFile) => {
  await asyncScope(runFile);
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
