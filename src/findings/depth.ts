/** How much KL changes with the layer of the splice, as the run itself shows it. */
import type { Bilingual } from '../bilingual.js';
import { cite } from './rule.js';
import type { SaeResult } from '../schema/index.js';

export interface Depth {
  label: string;
  first: { layer: number; kl: number };
  last: { layer: number; kl: number };
}

/** The first SAE that was spliced at several layers one by one, at its first and last layer. */
export function depthOf(results: readonly SaeResult[]): Depth | null {
  for (const { label, error, perLayer } of results) {
    const at = (error === null ? (perLayer ?? []) : []).flatMap(({ layer, strict }) =>
      strict?.KLDivPerToken ? [{ layer, kl: strict.KLDivPerToken.mean }] : [],
    );
    if (at.length > 1) return { label, first: at[0]!, last: at.at(-1)! };
  }
  return null;
}

/** `(MLSAE: 0.048 nats at layer 4, 0.115 at layer 12)`, with a space before; else empty. */
export function depthExample(depth: Depth | null): Bilingual {
  if (depth === null) return { en: '', zh: '' };
  const { label, first, last } = depth;
  return {
    en:
      ` (${label}: ${cite(first.kl)} nats per token at layer ${first.layer}, ${cite(last.kl)} ` +
      `at layer ${last.layer})`,
    zh:
      `（${label} 在第 ${first.layer} 层为每词元 ${cite(first.kl)} 奈特，在第 ${last.layer} 层为 ` +
      `${cite(last.kl)}）`,
  };
}
