/**
 * Whether runs can be compared in pairs: the same text, cut in the same way, and the same language
 * model computing in the same dtype. Files may lie elsewhere, so contents decide: the tokens of
 * each sequence, and the cross-entropy that the model has on it without any SAE.
 */
import { SaeEvalError } from '../../errors.js';
import type { RunSums, SaeSums } from './sums-of-run.js';

/** Part of a cross-entropy by which other machines may differ. */
const rounding = 1e-3;

function refuse(base: RunSums, other: RunSums, reason: string): never {
  throw new SaeEvalError(
    'not-comparable',
    `${base.name} and ${other.name} cannot be compared in pairs: ${reason}`,
  );
}

/** Place of the first sequence in which two columns differ; null if none does. */
function firstDifference(a: Float64Array, b: Float64Array, tolerance = 0): number | null {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  const at = a.findIndex((value, i) => {
    const other = b[i]!;
    return Math.abs(value - other) > tolerance * Math.max(Math.abs(value), Math.abs(other));
  });
  return at < 0 ? null : at;
}

const digits = (value: number | undefined): string =>
  value === undefined ? 'none' : String(Number(value.toPrecision(6)));

/** @throws SaeEvalError `not-comparable`, which names the difference. */
export function checkComparable(base: RunSums, other: RunSums): void {
  for (const run of [base, other])
    if (!run.request.protocol.includes('strict'))
      refuse(base, other, `${run.name} has no numbers under strict; only those have intervals.`);
  if (base.request.dtype !== other.request.dtype)
    refuse(
      base,
      other,
      `the language model computed in ${base.request.dtype} and in ${other.request.dtype}.`,
    );
  if (base.length.length !== other.length.length)
    refuse(
      base,
      other,
      `they have ${base.length.length} and ${other.length.length} sequences. Give the same ` +
        'dataset and maxSamples.',
    );
  const at = firstDifference(base.length, other.length);
  if (at !== null)
    refuse(
      base,
      other,
      `the texts differ: sequence ${at} has ${base.length[at]} and ${other.length[at]} tokens. ` +
        'Give the same dataset, chunking, seqLen and seed.',
    );
  const [ownClean, otherClean] = [base, other].map(({ clean }) => clean.get('ceClean'));
  if (ownClean === undefined || otherClean === undefined) {
    checkFiles(base, other);
    return;
  }
  if (ownClean.length !== otherClean.length)
    refuse(
      base,
      other,
      `${ownClean.length} and ${otherClean.length} samples were spliced (spliceSamples).`,
    );
  const changed = firstDifference(ownClean, otherClean, rounding);
  if (changed !== null)
    refuse(
      base,
      other,
      `the text or the language model differs: without an SAE the cross-entropy of sequence ` +
        `${changed} is ${digits(ownClean[changed])} and ${digits(otherClean[changed])}.`,
    );
}

/** Without cross-entropies, files must be the same by content. */
function checkFiles(base: RunSums, other: RunSums): void {
  const known = [base, other].every(({ files }) => files.length > 0);
  if (!known)
    refuse(
      base,
      other,
      'a run without KLDivPerToken, DeltaCE or Recovered does not tell whether its text and ' +
        'model were the same. Evaluate it again with this version.',
    );
  const ofText = (run: RunSums): string => digestsOf(run, ({ use }) => use === 'text');
  const ofModel = (run: RunSums): string =>
    digestsOf(
      run,
      ({ path }) => path === run.request.model || path.startsWith(`${run.request.model}/`),
    );
  if (ofText(base) !== ofText(other)) refuse(base, other, 'the files of the text differ.');
  if (ofModel(base) !== ofModel(other)) refuse(base, other, 'the files of the model differ.');
}

const digestsOf = (
  { files }: RunSums,
  isMeant: (file: RunSums['files'][number]) => boolean,
): string =>
  files
    .filter(isMeant)
    .map(({ digest }) => digest)
    .sort()
    .join();

/** Why two SAEs cannot be compared; null if they can. */
export function positionsDiffer(
  base: { run: RunSums; sae: SaeSums },
  other: { run: RunSums; sae: SaeSums },
): string | null {
  const [a, b] = [base, other].map(
    ({ run, sae }) => sae.clean.get('positions') ?? run.clean.get('positions'),
  );
  if (a === undefined || b === undefined) return null;
  const at = firstDifference(a, b);
  return at === null
    ? null
    : `they count other positions (exclude): ${a[at]} and ${b[at]} of sequence ${at}`;
}
