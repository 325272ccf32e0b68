/** How much the dictionaries of a run are the same: of each pair of SAEs on one place. */
import type { Bilingual } from '../../bilingual.js';
import type { Sample } from '../../data/index.js';
import type { LanguageModel } from '../../lm/index.js';
import type { SaeDescription } from '../../sae/description.js';
import type { DictionaryComparison } from '../../schema/index.js';
import { scope, type DType, type Tensor } from '../../torch/index.js';
import { eachSiteLatents, type PlacedDictionary } from '../engine/site-latents.js';
import { compareDecoders } from './compare-files.js';
import { CorrelationSums } from './correlations.js';
import { decoderRows } from './decoder-rows.js';
import { heldSimilarities } from './similarities.js';
import { similarityOf } from './similarity.js';

/** Most correlations of a pair that are held: 2²⁶ in float64 take 512 MiB. */
const mostCorrelations = 2 ** 26;

/** An SAE of a run that reads one place. */
export interface ComparedSae extends PlacedDictionary {
  label: string;
  description: SaeDescription;
}

interface Pair {
  a: ComparedSae;
  b: ComparedSae;
  decoders: DictionaryComparison['decoders'];
  notes: Bilingual[];
  /** Null if there would be too many. */
  sums: CorrelationSums | null;
}

const tooMany = (a: number, b: number): Bilingual => ({
  en:
    `${a} × ${b} correlations of latents would not fit into the memory that is meant for them; ` +
    `at most ${mostCorrelations} are held.`,
  zh: `${a} × ${b} 个潜变量相关系数超出了为此预留的内存；最多保存 ${mostCorrelations} 个。`,
});

const placeOf = ({ site }: ComparedSae): string => JSON.stringify(site);

function pairsOf(saes: readonly ComparedSae[], device: string): Pair[] {
  const pairs: Pair[] = [];
  saes.forEach((a, index) => {
    const others = saes.slice(index + 1).filter((b) => placeOf(b) === placeOf(a));
    if (others.length === 0) return;
    const own = decoderRows(a.description, { label: a.label, device });
    try {
      for (const b of others) {
        const rows = decoderRows(b.description, { label: b.label, device });
        try {
          if (rows.rows.shape[1] !== own.rows.shape[1]) continue;
          const fits = a.sae.m * b.sae.m <= mostCorrelations;
          pairs.push({
            a,
            b,
            decoders: compareDecoders(own, rows),
            notes: fits ? [] : [tooMany(a.sae.m, b.sae.m)],
            sums: fits ? new CorrelationSums() : null,
          });
        } finally {
          rows.rows.dispose();
        }
      }
    } finally {
      own.rows.dispose();
    }
  });
  return pairs;
}

export interface CompareRunOptions {
  model: LanguageModel;
  saes: readonly ComparedSae[];
  saeDtype: DType;
  /** Sequences that go through the model together, or as many tokens if they are not padded. */
  sequences: number;
  signal?: AbortSignal | undefined;
}

/** @param batches the samples of the run, once more. */
export async function compareRunDictionaries(
  batches: AsyncIterable<readonly Sample[]>,
  { model, saes, saeDtype, sequences, signal }: CompareRunOptions,
): Promise<DictionaryComparison[]> {
  const pairs = pairsOf(saes, model.device);
  try {
    const needed = saes.filter((sae) =>
      pairs.some(({ a, b, sums }) => sums !== null && (a === sae || b === sae)),
    );
    const at = (sae: ComparedSae): number => needed.indexOf(sae);
    if (needed.length > 0)
      for await (const samples of batches) {
        const options = { model, saes: needed, saeDtype, sequences, signal };
        await eachSiteLatents(samples, options, (all) => {
          for (const { a, b, sums } of pairs) {
            if (sums === null) continue;
            const [one, two] = [all[at(a)]!, all[at(b)]!];
            const counted = one.counted.logical_and(two.counted);
            sums.add(one.latents, two.latents, counted);
          }
        });
      }
    return pairs.map(({ a, b, decoders, notes, sums }) => ({
      a: a.label,
      b: b.label,
      similarity: 'signed',
      decoders,
      activations: sums === null ? null : activationsOf(sums),
      notes,
    }));
  } finally {
    for (const { sums } of pairs) sums?.dispose();
  }
}

function activationsOf(sums: CorrelationSums): DictionaryComparison['activations'] {
  return scope(() => {
    const { values, leftOut }: { values: Tensor; leftOut: [number, number] } = sums.correlations();
    return { tokens: sums.tokens, ...similarityOf(heldSimilarities(values), leftOut) };
  });
}
