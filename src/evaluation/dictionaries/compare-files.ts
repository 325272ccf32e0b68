/** How much the dictionaries of SAEs are the same, from their files alone. */
import type { Bilingual } from '../../bilingual.js';
import { SaeEvalError } from '../../errors.js';
import { parseHookName } from '../../lm/hook-names.js';
import { hookPointsOf, type SaeDescription } from '../../sae/description.js';
import type { DictionaryComparison, SaeKind } from '../../schema/index.js';
import { scope, setInferenceMode } from '../../torch/index.js';
import { describeDecoder } from './decoder-file.js';
import { decoderRows, type DecoderRows } from './decoder-rows.js';
import { innerProducts } from './similarities.js';
import { similarityOf, type SimilarityOptions } from './similarity.js';

export interface DictionaryFile {
  /** Path of the checkpoint, or its name in the local Hugging Face cache. */
  checkpoint: string;
  /** Default: the checkpoint as it is given. */
  label?: string;
  /** Needed for files of which it cannot be told. */
  kind?: SaeKind | undefined;
  /** Prefix of its tensors, if the file holds several SAEs. */
  prefix?: string | undefined;
}

export interface CompareDictionariesOptions extends SimilarityOptions {
  /** Device to compute on; default `cpu`. */
  device?: string | undefined;
}

interface Side {
  label: string;
  description: SaeDescription;
}

/** The hook point that a file names, in one spelling; null if it names none. */
function hookOf(description: SaeDescription): string | null {
  const [name] = hookPointsOf(description);
  if (name === undefined) return null;
  const hook = parseHookName(name);
  return hook === null ? name : `${hook.site} ${hook.layer}`;
}

/** Remarks on a pair that does not sit on one place, as far as the files tell. */
export function placeNotes(a: Side, b: Side): Bilingual[] {
  const [here, there] = [hookOf(a.description), hookOf(b.description)];
  if (here === null || there === null || here === there) return [];
  const [one, two] = [a, b].map(({ description }) => hookPointsOf(description)[0]!);
  return [
    {
      en:
        `${a.label} reads ${one} and ${b.label} reads ${two}: ` +
        'their directions are of two spaces.',
      zh: `${a.label} 读取 ${one}，${b.label} 读取 ${two}：两者的方向属于不同的空间。`,
    },
  ];
}

/** @throws SaeEvalError `sae-width` if the decoders write to spaces of two widths. */
export function checkWidths(
  a: { label: string; d: number },
  b: { label: string; d: number },
): void {
  if (a.d !== b.d)
    throw new SaeEvalError(
      'sae-width',
      `${a.label} writes ${a.d} dimensions and ${b.label} ${b.d}: expected dictionaries of one ` +
        'width. Compare SAEs on one place of one model.',
    );
}

/** The similarity of two decoders. */
export function compareDecoders(
  a: DecoderRows,
  b: DecoderRows,
  options: SimilarityOptions = {},
): DictionaryComparison['decoders'] {
  return scope(() => similarityOf(innerProducts(a.rows, b.rows), [a.leftOut, b.leftOut], options));
}

/**
 * Compares the decoders of each pair of checkpoints (docs/reference/dictionaries.md). No model is
 * needed, and of the files the decoders are read alone.
 *
 * @example
 * const [pair] = await compareDictionaries([{ checkpoint: 'a.pt' }, { checkpoint: 'b.pt' }]);
 * console.log(pair.decoders.pwMcc, pair.decoders.mmcs);
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`, `sae-kind`, `sae-width`, `non-finite`.
 */
export async function compareDictionaries(
  files: readonly DictionaryFile[],
  { device = 'cpu', ...options }: CompareDictionariesOptions = {},
): Promise<DictionaryComparison[]> {
  const sides: Side[] = [];
  for (const { checkpoint, label = checkpoint, kind, prefix } of files)
    sides.push({ label, description: await describeDecoder(checkpoint, { kind, prefix }) });
  setInferenceMode(true);
  const found: DictionaryComparison[] = [];
  sides.forEach((a, index) => {
    const others = sides.slice(index + 1);
    if (others.length === 0) return;
    const own = decoderRows(a.description, { label: a.label, device });
    try {
      for (const b of others) found.push(comparePair({ ...a, rows: own }, b, { device, options }));
    } finally {
      own.rows.dispose();
    }
  });
  return found;
}

function comparePair(
  a: Side & { rows: DecoderRows },
  b: Side,
  { device, options }: { device: string; options: SimilarityOptions },
): DictionaryComparison {
  const rows = decoderRows(b.description, { label: b.label, device });
  try {
    checkWidths(
      { label: a.label, d: a.rows.rows.shape[1]! },
      { label: b.label, d: rows.rows.shape[1]! },
    );
    return {
      a: a.label,
      b: b.label,
      similarity: options.absolute === true ? 'absolute' : 'signed',
      decoders: compareDecoders(a.rows, rows, options),
      activations: null,
      notes: placeNotes(a, b),
    };
  } finally {
    rows.rows.dispose();
  }
}
