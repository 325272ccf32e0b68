/** A rule: a condition on the numbers of a result, and the sentence that follows from them. */
import type { Bilingual } from '../bilingual.js';
import { namesOf } from './names.js';
import type { EvaluationResult, Finding, SaeResult } from '../schema/index.js';

/** The part of a result that rules read. */
export type FindingContext = Pick<
  EvaluationResult,
  'config' | 'data' | 'results' | 'comparisons' | 'stopped'
>;

export interface Rule {
  code: string;
  severity: Finding['severity'];
  /** The exact condition, for docs/findings.md. */
  condition: Bilingual;
  check(context: FindingContext): Omit<Finding, 'code' | 'severity'>[];
  /** One sentence for several of its findings; without it, they stand one by one. */
  together?(found: readonly Finding[]): Bilingual;
}

/** The SAEs that were evaluated. */
export function evaluated({ results }: FindingContext): SaeResult[] {
  return results.filter(({ error }) => error === null);
}

/** A number as a sentence cites it. */
export function cite(value: number): string {
  return (
    value !== 0 && Math.abs(value) < 1e-3
      ? value.toExponential(2)
      : Number(value.toPrecision(4)).toString()
  ).replace(/-/g, '−');
}

/** Smallest and largest of a piece of evidence, such as `2.02 to 2.73`; one number if equal. */
export function spanOf(found: readonly Finding[], key: string): Bilingual {
  const values = found.flatMap(({ evidence }) =>
    typeof evidence[key] === 'number' ? [evidence[key]] : [],
  );
  const [low, high] = [Math.min(...values), Math.max(...values)].map(cite);
  return low === high
    ? { en: low!, zh: low! }
    : { en: `${low} to ${high}`, zh: `${low} 至 ${high}` };
}

/** The SAEs that findings speak of, as a list for a sentence. */
export function saesOf(found: readonly Finding[]): Bilingual {
  return namesOf([...new Set(found.flatMap(({ sae }) => (sae === null ? [] : [sae])))]);
}

export const percent = (share: number, lang: 'en' | 'zh' = 'en'): string =>
  `${cite(100 * share)}${lang === 'en' ? ' %' : '%'}`;

/**
 * Layers whose activations one set of latents encodes: R for a Crosscoder, else 1. The layers of a
 * cross-layer SAE have latents of their own.
 */
export function layersOf({ kind, layers, replacement }: SaeResult): number {
  return kind === 'Crosscoder' && replacement === undefined ? (layers?.length ?? 1) : 1;
}

/** Whether the SAE reads the residual stream after the model's last block. */
export function atLastLayer({ layer, site }: SaeResult, { config }: FindingContext): boolean {
  return site === undefined && layer === config.architecture.layers;
}
