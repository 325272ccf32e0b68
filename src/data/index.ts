/** Data sets: text files → batches of token ids. */
export type { Sample } from './assembly.js';
export type { SampleSummary } from './batches.js';
export { listFiles, type DataFile } from './files.js';
export type { Chunking } from './pieces.js';
export { openSamples, type SampleOptions, type SampleStream } from './samples.js';
