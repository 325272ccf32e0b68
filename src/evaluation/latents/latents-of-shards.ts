/** The latents table of a run in shards, from its folder alone. */
import { FileBytes } from '../../checkpoint/file-bytes.js';
import { loadTokenizer } from '../../lm/index.js';
import { ContextTexts } from './context-texts.js';
import { writeLatents, type WriteLatentsOptions } from './write-latents.js';

export interface LatentsOfShardsOptions extends Omit<WriteLatentsOptions, 'texts'> {
  /** File with the ids of the samples. */
  tokens: string;
  recordBytes: number;
  /** Folder of the language model, which has the tokenizer. */
  model: string;
}

/** Writes the table; without text if the model's tokenizer does not lie on this machine. */
export async function writeLatentsOfShards(
  path: string,
  { tokens, recordBytes, model, ...options }: LatentsOfShardsOptions,
): Promise<{ hasText: boolean }> {
  if (options.contexts === 0) {
    await writeLatents(path, { ...options, texts: null });
    return { hasText: true };
  }
  const tokenizer = await loadTokenizer(model).catch(() => null);
  const { seqLen } = options;
  const file = FileBytes.openOwn(tokens);
  try {
    const texts = new ContextTexts(file, { seqLen, recordBytes, tokenizer });
    await writeLatents(path, { ...options, texts });
  } finally {
    file.close();
  }
  return { hasText: tokenizer !== null };
}
