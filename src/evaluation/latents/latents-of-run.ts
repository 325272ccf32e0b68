/** The latents table of a run in one piece: weights, text once more, file. */
import { rmSync } from 'node:fs';
import { FileBytes } from '../../checkpoint/file-bytes.js';
import { openSamples, type SampleOptions } from '../../data/index.js';
import type { LatentsSummary } from '../../schema/index.js';
import type { Tokenizer } from '../../lm/index.js';
import type { EvaluatedSae } from '../run/prepare.js';
import { addWeights } from './add-weights.js';
import { ContextTexts, writeTokens } from './context-texts.js';
import { latentsSummary } from './summary.js';
import { writeLatents, type WriteLatentsOptions } from './write-latents.js';

export interface LatentsOfRunOptions extends Omit<WriteLatentsOptions, 'texts' | 'contexts'> {
  /** Contexts of each latent; undefined: no table. */
  contexts: number | undefined;
  evaluated: readonly EvaluatedSae[];
  /** The text of the run, as its first pass opened it. */
  text: SampleOptions;
  tokenizer: Tokenizer;
}

/**
 * Writes the table, or removes that of another run if none is asked for. The text is read once more
 * for its contexts.
 */
export async function writeLatentsOfRun(
  path: string,
  options: LatentsOfRunOptions,
): Promise<LatentsSummary[] | undefined> {
  const { accumulator, evaluated, contexts, seqLen, text, tokenizer, signal } = options;
  rmSync(path, { force: true });
  if (contexts === undefined) return undefined;
  await addWeights(accumulator, evaluated, { signal });
  if (contexts === 0) {
    await writeLatents(path, { ...options, contexts, texts: null });
    return latentsSummary(accumulator, options.saes);
  }
  const tokens = `${path}.tokens`;
  try {
    const { recordBytes } = await writeTokens(tokens, {
      batches: await openSamples(text),
      samples: accumulator.sequences,
      seqLen,
      signal,
    });
    const file = FileBytes.openOwn(tokens);
    try {
      const texts = new ContextTexts(file, { seqLen, recordBytes, tokenizer });
      await writeLatents(path, { ...options, contexts, texts });
    } finally {
      file.close();
    }
    return latentsSummary(accumulator, options.saes);
  } finally {
    rmSync(tokens, { force: true });
  }
}
