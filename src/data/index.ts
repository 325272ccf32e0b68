/** Data sets: text files → batches of token ids. */
export type { Sample } from './assembly.js';
export type { SampleSummary } from './batches.js';
export type { DataFile } from './data-file.js';
export { checkField, type FieldOptions } from './field-names.js';
export { listFiles } from './files.js';
export type { Chunking } from './pieces.js';
export { openSamples, type SampleOptions, type SampleStream } from './samples.js';
