/** Names that requests and results use: kinds, metrics, protocols, dtypes, normalizations. */
import type { Protocol } from '../metrics/metric.js';
import {
  peerAliases,
  peerProtocolNames,
  peersAmong,
  type PeerAlias,
  type PeerProtocol,
} from '../metrics/peers/protocols.js';
import { metrics, type MetricName } from '../metrics/table.js';
import { kinds, type SaeKind } from '../sae/kinds/kinds.js';

export const saeKinds = kinds.map(({ kind }) => kind) as [SaeKind, ...SaeKind[]];
export const metricNames: readonly MetricName[] = metrics.map(({ name }) => name);
export const protocolNames = ['reference', 'strict'] as const satisfies readonly Protocol[];
/** Protocols that a request may name: those of other tools with their version, or without. */
export const requestProtocols = [
  ...protocolNames,
  ...peerProtocolNames,
  ...(Object.keys(peerAliases) as PeerAlias[]),
] as const;
export const floatDtypes = ['float32', 'bfloat16', 'float16'] as const;

/** Normalizations that a request may give; `scale` is a field of its own. */
export const normalizationNames = ['none', 'pre', 'layer-norm', 'token-norm'] as const;

export type { MetricName, SaeKind };
export type ProtocolName = (typeof protocolNames)[number];

/** This project's protocols among some. */
export const ownProtocols = (names: readonly string[]): ProtocolName[] =>
  names.filter((name) => (protocolNames as readonly string[]).includes(name)) as ProtocolName[];

/** Protocols with the versions that names without one mean, each once. */
export function fullProtocols(names: readonly string[]): (ProtocolName | PeerProtocol)[] {
  return [...ownProtocols(names), ...peersAmong(names)];
}

export { peerProtocolNames, peersAmong, type PeerProtocol };
export type NormalizationName = (typeof normalizationNames)[number];
export type FloatDtype = (typeof floatDtypes)[number];
