/**
 * Checks of the files that share a process: each leaves its settings as it found them, but for the
 * number of threads and the inference mode, which every evaluation sets for itself.
 */
import { afterAll, beforeAll, expect } from 'vitest';
import { numThreads, setInferenceMode, setNumThreads } from '#src/torch/index.js';

/** Settings of the process. */
const settings = (): object => ({
  environment: { ...process.env },
  folder: process.cwd(),
  umask: process.umask(),
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
