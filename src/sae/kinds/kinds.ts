/** The kinds of SAE, in the order in which they are listed. */
import { crosscoder } from './crosscoder.js';
import { gated } from './gated.js';
import { jumpRelu } from './jumprelu.js';
import type { Kind } from './kind.js';
import { mlsae } from './mlsae.js';
import { randomK } from './randomk.js';
import { routeSae } from './routesae.js';
import { topK } from './topk.js';
import { vanilla } from './vanilla.js';

const all = [topK, routeSae, mlsae, vanilla, gated, jumpRelu, crosscoder, randomK] as const;

export type SaeKind = (typeof all)[number]['kind'];

export const kinds: readonly (Kind & { kind: SaeKind })[] = all;

/** The kind of that name. */
export function kindNamed(name: SaeKind): Kind & { kind: SaeKind } {
  return kinds.find(({ kind }) => kind === name)!;
}
