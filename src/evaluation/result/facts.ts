/**
 * Facts of a run: everything that its result says and that does not follow from the sums. They are
 * plain data, so that a result can be made on another machine, without the weights.
 */
import type { Bilingual } from '../../bilingual.js';
import type { SaeEvalError } from '../../errors.js';
import type { LanguageModel } from '../../lm/index.js';
import type { Protocol } from '../../metrics/metric.js';
import {
  isTranscoder,
  kOf,
  normalizationsOf,
  readsOnePlace,
  type Exclusion,
  type SaeDescription,
} from '../../sae/description.js';
import type { Note, ResolvedRequest, RunConfig, SaeResult } from '../../schema/index.js';
import type { Slot, Strategy, Variant } from '../engine/strategies/strategy.js';
import type { ChosenExclusion } from '../request/exclusion.js';
import type { ResolvedSae } from '../request/resolve.js';
import type { PeerMeasured } from './peer-values.js';

/** Fields of an SAE's result that say what it is. */
export type SaeIdentity = Omit<
  SaeResult,
  | 'error'
  | 'positions'
  | 'specials'
  | 'reference'
  | 'strict'
  | 'perLayer'
  | 'replacement'
  | 'sweep'
  | 'notes'
>;

/** How an SAE was measured. */
export interface Measured {
  slots: Readonly<Record<Protocol, readonly Slot[]>>;
  /** Key of the positions that count under `strict`. */
  positions: string;
  /** The protocols of other tools under which it was measured; left out without any. */
  peers?: readonly PeerMeasured[];
}

/** Facts of an SAE of a run. */
export interface SaeFacts {
  identity: SaeIdentity;
  form: SaeDescription['form'];
  /** Width of what it reads. */
  width: number;
  /** Whether it predicts other sites than it reads, or has several layers with latents each. */
  hasNoReference: boolean;
  exclusion: Exclusion;
  /** Who says which positions are out. */
  excludedBy: ChosenExclusion['from'];
  notes: readonly Note[];
  /** The request's own setting, then the points of a sweep. */
  variants: readonly Variant[];
  /** Null if it could not be loaded. */
  measured: Measured | null;
  /** Why it could not be loaded. */
  error: { code: string; message: string } | null;
}

/** Facts of a run. */
export interface RunFacts {
  /** With what was decided about BOS. */
  request: ResolvedRequest;
  model: Pick<LanguageModel, 'device' | 'family' | 'layers' | 'width' | 'vocabulary'> & {
    parameters: number;
    notes: readonly Bilingual[];
  };
  saes: readonly SaeFacts[];
  /** Name of the processor or GPU. */
  deviceName: string;
  versions: { libtorch: string };
  files?: RunConfig['files'];
}

/** An SAE of a run, as it was loaded or not. */
export interface LoadedSae {
  resolved: ResolvedSae;
  /** As the request names it. */
  path: string;
  strategy: Pick<Strategy, 'slots' | 'positions' | 'peers'> | null;
  variants: readonly Variant[];
  error: SaeEvalError | null;
}

/** The space that an SAE is measured in. */
function spaceOf(description: SaeDescription): string {
  const kinds = [...new Set(normalizationsOf(description).map(({ kind }) => kind))].join(', ');
  return readsOnePlace(description) && description.centered ? `centred, ${kinds}` : kinds;
}

/** The places that a transcoder reads, for a result; empty for SAEs that reconstruct them. */
function readsOf({ reads, layer, hookOut }: ResolvedSae): Pick<SaeResult, 'reads'> {
  if (reads === null || hookOut === null) return {};
  const layers = reads.map((read) => read.layer);
  const site = reads[0]!.site;
  return {
    reads: {
      ...(layer === null ? { layers } : { layer: layers[0]! }),
      ...(site === null ? {} : { site }),
    },
  };
}

function identityOf(resolved: ResolvedSae, path: string): SaeIdentity {
  const { description, label, layer, layers, site, head, hookPoint, hookOut } = resolved;
  const { kind, format, d, m, form, publishedL0, groups } = description;
  return {
    label,
    kind,
    checkpoint: path,
    format,
    hookPoint,
    ...(hookOut === null ? {} : { hookOut }),
    ...readsOf(resolved),
    normalization: spaceOf(description),
    ...(site === null ? {} : { site }),
    ...(head === undefined ? {} : { head }),
    ...(layer === null ? { layers } : { layer }),
    ...(publishedL0 === undefined ? {} : { publishedL0 }),
    d,
    ...(description.form === 'transcoder' ? { dOut: description.dOut } : {}),
    m,
    k: kOf(description),
    ...(groups === undefined ? {} : { groups: [...groups] }),
    routing: form === 'routed' ? description.routing : null,
    aggregation: form === 'routed' ? description.aggregation : null,
  };
}

/** The facts of an SAE. */
export function factsOf({ resolved, path, strategy, variants, error }: LoadedSae): SaeFacts {
  const { description, excluding, notes, prefixNotes } = resolved;
  return {
    identity: identityOf(resolved, path),
    form: description.form,
    width: description.d,
    hasNoReference: isTranscoder(description),
    exclusion: excluding.exclusion,
    excludedBy: excluding.from,
    notes: [
      ...notes.map((note) => ({ metric: 'checkpoint', ...note })),
      ...prefixNotes.map((note) => ({ metric: 'prefixes', ...note })),
    ],
    variants,
    measured:
      strategy === null
        ? null
        : {
            slots: strategy.slots,
            positions: strategy.positions.key,
            peers: (strategy.peers ?? []).map(({ protocol, counted }) => ({
              protocol,
              positions: counted.key,
            })),
          },
    error: error === null ? null : { code: error.code, message: error.message },
  };
}
