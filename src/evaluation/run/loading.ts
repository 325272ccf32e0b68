/** Loads a run's model, tokenizer and SAEs, or borrows them from the cache of an earlier run. */
import { join } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import { factsIfAny } from '../../files/index.js';
import {
  loadLanguageModel,
  loadTokenizer,
  type LanguageModel,
  type Tokenizer,
} from '../../lm/index.js';
import type { SAE } from '../../sae/index.js';
import { memory, type DType } from '../../torch/index.js';
import type { Loaded, Loans, Source, WeightCache } from './weight-cache.js';

/** A tokenizer in memory, against its file. */
const tokenizerGrowth = 8;

/**
 * The bytes of weights, with the copies that were made beside them: converted, or arranged for the
 * device.
 */
function withCopies(weightBytes: number, bytesBefore: number): number {
  const own = memory().bytes - bytesBefore;
  // Weights that are mapped as stored are no storage of their own; converted ones are counted
  // already.
  return own >= weightBytes ? own : weightBytes + Math.max(0, own);
}

/**
 * The language model of a folder. Frees what is kept and not in use when there is no room for it.
 * It belongs to the loans.
 */
export async function borrowModel(
  cache: WeightCache,
  loans: Loans,
  {
    path,
    device,
    dtype,
    allowProgram,
    weightDevices,
    streams,
  }: {
    path: string;
    device: string;
    dtype: DType;
    allowProgram: boolean;
    /** Other devices that may hold blocks that are streamed. */
    weightDevices: readonly string[];
    /** Decides whether blocks are streamed, of a model that is not there yet. */
    streams: () => Promise<boolean>;
  },
): Promise<LanguageModel> {
  const load = async (streamBlocks: boolean): Promise<Loaded<LanguageModel>> => {
    const before = memory().bytes;
    const model = await loadLanguageModel(path, {
      device,
      dtype,
      allowProgram,
      streamBlocks,
      weightDevices: streamBlocks ? weightDevices : [],
    });
    return {
      value: model,
      // A streamed model holds little between runs.
      bytes: withCopies(streamBlocks ? 0 : model.weightBytes, before),
      dispose: () => model.dispose(),
    };
  };
  const source: Source = { path, options: ['model', device, dtype, allowProgram] };
  const streamed: Source = {
    path,
    options: ['streamed', device, dtype, allowProgram, weightDevices],
  };
  if (!cache.holds(source)) {
    let isStreamed = await streams();
    // Remains of earlier runs may be in the way.
    if (isStreamed && cache.clear() > 0) isStreamed = await streams();
    if (isStreamed) return loans.borrowLater(streamed, () => load(true));
  }
  try {
    return await loans.borrowLater(source, () => load(false));
  } catch (thrown) {
    if (!(thrown instanceof SaeEvalError) || thrown.code !== 'device-memory') throw thrown;
    cache.clear();
    return loans.borrowLater(source, () => load(false));
  }
}

/** The tokenizer of a model folder. */
export async function borrowTokenizer(loans: Loans, path: string): Promise<Tokenizer> {
  return loans.borrowLater({ path, options: ['tokenizer'] }, async () => {
    const value = await loadTokenizer(path);
    const bytes = Number(factsIfAny(join(path, 'tokenizer.json'))?.size ?? 0);
    return { value, bytes: bytes * tokenizerGrowth, dispose: () => {} };
  });
}

/**
 * An SAE, made by `load` unless it is there already. `options`: everything that decides what `load`
 * makes of the file. It belongs to the loans.
 */
export function borrowSae(
  loans: Loans,
  { path, options, weightBytes }: { path: string; options: unknown; weightBytes: number },
  load: () => SAE,
): SAE {
  return loans.borrow({ path, options: ['sae', options] }, () => {
    const before = memory().bytes;
    const sae = load();
    return { value: sae, bytes: withCopies(weightBytes, before), dispose: () => sae.dispose() };
  });
}
