/** Names under which an accumulator keeps sums. */
import type { Protocol } from './metric.js';

/** A slot of an SAE variant under one protocol. */
export interface Target {
  readonly owner: string;
  readonly protocol: Protocol;
  readonly slot: number;
}

/** Sums of every pass that belong to no SAE. */
export type CleanSum = 'positions' | 'nextPositions' | 'ceClean';

export const slotKey = ({ owner, protocol, slot }: Target, column: string): string =>
  `${owner}|${protocol}|${slot}|${column}`;
export const vectorKey = (owner: string, protocol: Protocol, name: string): string =>
  `${owner}|${protocol}|${name}`;
/** Column of the real tokens of each sequence. */
export const lengthKey = 'length';
export const cleanKey = (protocol: Protocol, name: CleanSum): string => `clean|${protocol}|${name}`;
