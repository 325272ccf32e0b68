/** Names under which an accumulator keeps sums. */
import type { AnyProtocol, Protocol } from './metric.js';

/** A slot of an SAE variant under one protocol. */
export interface Target {
  readonly owner: string;
  readonly protocol: AnyProtocol;
  readonly slot: number;
}

/** A slot under one of this project's protocols. */
export type OwnTarget = Target & { readonly protocol: Protocol };

/** Sums of every pass that belong to no SAE. */
export type CleanSum = 'positions' | 'nextPositions' | 'ceClean' | 'specials';

/** Key of the set of all real positions. */
export const allPositions = 'all';

export const slotKey = ({ owner, protocol, slot }: Target, column: string): string =>
  `${owner}|${protocol}|${slot}|${column}`;
export const vectorKey = (owner: string, protocol: AnyProtocol, name: string): string =>
  `${owner}|${protocol}|${name}`;
/** Column of the real tokens of each sequence. */
export const lengthKey = 'length';
/** `positions`: key of the set of positions that the sum is over. */
export const cleanKey = (protocol: Protocol, name: CleanSum, positions = allPositions): string =>
  `clean|${protocol}|${name}${positions === allPositions ? '' : `|${positions}`}`;
/** Part of a slot's column that lies on special tokens. */
export const specialsKey = (target: Target, column: string): string =>
  `${slotKey(target, column)}|specials`;
