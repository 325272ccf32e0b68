/** SAEs at the places that strategies know, and what a run may want of them. */
import { full } from '../../full.js';
import type { StrategyOptions } from '#src/evaluation/engine/strategies/index.js';
import type { Wanted } from '#src/evaluation/engine/strategies/strategy.js';
import { positionSet, type PositionSet } from '#src/evaluation/positions.js';
import type { LoadSaeOptions } from '#src/sae/index.js';

export type Case = [
  name: string,
  file: string,
  given: LoadSaeOptions,
  Pick<StrategyOptions, 'layer' | 'layers' | 'site' | 'routing'>,
];
const routed = Array.from({ length: 9 }, (_, j) => 4 + j);
const single = { kind: 'TopK', k: 16 } as const;
export const cases: Case[] = [
  ['a layer', 'TopK_tiny.pt', single, { layer: 8, layers: [8] }],
  ['the last layer', 'TopK_tiny.pt', single, { layer: 16, layers: [16] }],
  ['a site', 'TopK_tiny.pt', single, { layer: 8, layers: [8], site: 'mlp_out' }],
  ['each layer', 'MLSAE_tiny.pt', { kind: 'MLSAE', k: 16 }, { layer: null, layers: routed }],
  ['layers together', 'Crosscoder_tiny.pt', {}, { layer: null, layers: routed }],
  ['hard routing', 'RouteSAE_tiny.pt', { k: 16 }, { layer: null, layers: routed }],
  ['soft routing', 'RouteSAE_tiny.pt', { k: 16 }, { layer: null, layers: routed, routing: 'soft' }],
];
const someLeft = positionSet({ specials: false, ids: [999], kept: null }, new Set());
export const wants: [string, Wanted, PositionSet?][] = [
  ['everything', { protocols: new Set(['reference', 'strict']), splice: true, zero: true }],
  ['strict without zero', { protocols: new Set(['strict']), splice: true, zero: false }],
  ['reference', { protocols: new Set(['reference']), splice: true, zero: true }],
  [
    'everything, with positions that strict leaves as they are',
    { protocols: new Set(['reference', 'strict']), splice: true, zero: true },
    someLeft,
  ],
  ['no splice', { protocols: new Set(['reference', 'strict']), splice: false, zero: false }],
];
/** Those that between them take every branch of a plan, unless all are asked for. */
export const someWants = full
  ? wants
  : wants.filter(([name]) => name.startsWith('everything, ') || name === 'no splice');
export const variants = [
  { owner: '0.0', sparsity: null },
  { owner: '0.1', sparsity: { inferK: 4 } },
];
