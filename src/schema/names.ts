/** Names that requests and results use: kinds, metrics, protocols, dtypes, normalizations. */
import type { Protocol } from '../metrics/metric.js';
import { metrics, type MetricName } from '../metrics/table.js';
import { kinds, type SaeKind } from '../sae/kinds/kinds.js';

export const saeKinds = kinds.map(({ kind }) => kind) as [SaeKind, ...SaeKind[]];
export const metricNames: readonly MetricName[] = metrics.map(({ name }) => name);
export const protocolNames = ['reference', 'strict'] as const satisfies readonly Protocol[];
export const floatDtypes = ['float32', 'bfloat16', 'float16'] as const;

/** Normalizations that a request may give; `scale` is a field of its own. */
export const normalizationNames = ['none', 'pre', 'layer-norm', 'token-norm'] as const;

export type { MetricName, SaeKind };
export type ProtocolName = (typeof protocolNames)[number];
export type NormalizationName = (typeof normalizationNames)[number];
export type FloatDtype = (typeof floatDtypes)[number];
