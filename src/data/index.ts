/** Text files → samples in batches. */
export { openSamples, type Sample, type SampleOptions, type SampleStream, type SampleSummary } from './samples.js';
