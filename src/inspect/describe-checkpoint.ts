/**
 * What a checkpoint is, what it can be evaluated as, and what each candidate needs. Headers only;
 * native-free.
 */
import { recognise } from '../sae/formats/recognise.js';
import { tensorsOf } from './tensors-of.js';
import type { FieldError } from '../errors.js';
import { inferKinds, kindLayout } from '../sae/layout.js';
import { publishedKinds } from '../sae/published/kind.js';
import { settingsInName, type NamedSettings } from '../sae/formats/file-name.js';
import type { CheckpointDescription } from '../schema/record.js';
import type { SaeKind } from '../schema/request.js';
import { describePublishedSae } from './describe-published.js';

/** @throws SaeEvalError `file-not-found`, `checkpoint-*`, `sae-kind`. */
export async function describeCheckpoint(path: string): Promise<CheckpointDescription> {
  const missing: FieldError[] = [];
  const recognised = await recognise(path, { missing });
  if (recognised.published === null) return describeBare(path, recognised.checkpoint);
  const { published } = recognised;
  const candidates = publishedKinds(published);
  const summary = describePublishedSae(published, missing);
  const fields = [...new Set(missing.map((one) => one.path))];
  const giveFor = (kind: SaeKind): string[] => [
    ...fields,
    ...(kindLayout(kind).layer === 'required' &&
    summary.layers === null &&
    summary.obstacle === null
      ? ['layer']
      : []),
  ];
  return {
    path,
    ...tensorsOf(published.checkpoint),
    candidates,
    needs: [
      ...missing.map((one) => `${one.path}: ${one.message}`),
      ...(giveFor(candidates[0]).includes('layer') ? ['layer'] : []),
    ],
    d: published.d,
    m: published.m,
    routedLayers: null,
    mustGive: Object.fromEntries(candidates.map((kind) => [kind, giveFor(kind)])),
    published: summary,
  };
}

/** A state dict of the RouteSAE family, or what is none. */
function describeBare(
  path: string,
  checkpoint: Parameters<typeof tensorsOf>[0],
): CheckpointDescription {
  const { candidates, d, m, routedLayers } = inferKinds(
    new Map([...checkpoint.entries].map(([name, { shape }]) => [name, shape])),
  );
  const named = settingsInName(path);
  const known = candidates.length > 0;
  const needing = (wanted: (kind: SaeKind) => boolean): SaeKind[] => candidates.filter(wanted);
  const forKinds = (kinds: readonly SaeKind[]): string =>
    kinds.length === candidates.length ? '' : ` (${kinds.join(', ')})`;
  const [onLayer, withK] = [
    needing((kind) => kindLayout(kind).layer === 'required'),
    needing((kind) => kindLayout(kind).hasK),
  ];
  return {
    path,
    ...tensorsOf(checkpoint),
    candidates,
    needs: [
      ...(candidates.length > 1 ? ['kind'] : []),
      ...(onLayer.length > 0 && named.layer === undefined ? [`layer${forKinds(onLayer)}`] : []),
      ...(withK.length > 0 && named.k === undefined ? [`k, 1…${m}${forKinds(withK)}`] : []),
    ],
    d: known ? d : null,
    m: known ? m : null,
    routedLayers: known ? routedLayers : null,
    mustGive: Object.fromEntries(
      candidates.map((kind) => [kind, mustGive(kind, named, candidates.length > 1)]),
    ),
    ...(known && Object.keys(named).length > 0 ? { named } : {}),
    published: null,
  };
}

function mustGive(kind: SaeKind, named: NamedSettings, ambiguous: boolean): string[] {
  const { layer, hasK } = kindLayout(kind);
  return [
    ...(ambiguous ? ['kind'] : []),
    ...(layer === 'required' && named.layer === undefined ? ['layer'] : []),
    ...(hasK && named.k === undefined ? ['k'] : []),
  ];
}
