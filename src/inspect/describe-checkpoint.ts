/**
 * Describes a checkpoint: its tensors, the kinds it can be evaluated as, and what a request must
 * give with it. Reads headers alone.
 */
import type { Checkpoint } from '../checkpoint/read.js';
import { placedByPath } from '../evaluation/request/path-hook.js';
import { parseHookName } from '../lm/hook-names.js';
import {
  hookPointsOutOf,
  isTranscoder,
  hookPointsOf,
  kOf,
  readsOnePlace,
  type SaeDescription,
} from '../sae/description.js';
import { kindInName, settingsInName } from '../sae/formats/file-name.js';
import { recognizeAll, type SaeFile } from '../sae/formats/recognize.js';
import { GivenSettings } from '../sae/given.js';
import { unusedTensors } from '../sae/formats/unused-tensors.js';
import { kindNamed, type SaeKind } from '../sae/kinds/kinds.js';
import type { CheckpointDescription, PublishedSae, SaeChoice } from '../schema/catalogue.js';
import { choiceOf, inputText, obstacleOf } from './choices.js';

/** The contents of a file, apart from their meaning; at most a hundred values and other tensors. */
function contentsOf({
  format,
  prefix,
  entries,
  values,
  opaque,
  others,
}: Checkpoint): Pick<
  CheckpointDescription,
  'format' | 'prefix' | 'tensors' | 'values' | 'opaque' | 'others'
> {
  return {
    format,
    prefix,
    others: others.slice(0, 100),
    tensors: [...entries.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    values: Object.fromEntries(
      [...values].slice(0, 100).map(([key, value]) => [key, String(value).slice(0, 200)]),
    ),
    opaque: Object.fromEntries(
      [...opaque]
        .slice(0, 100)
        .map(([key, { what, shape }]) => [
          key,
          what.slice(0, 200) + (shape === null ? '' : ` of shape [${shape.join(', ')}]`),
        ]),
    ),
  };
}

function activationText({ activation }: SaeDescription): string {
  if (activation.kind === 'topk')
    return (
      `topk, k = ${activation.k}` +
      (activation.byMagnitude === true
        ? ' of the largest magnitude'
        : activation.signed === true
          ? ''
          : ', then relu')
    );
  if (activation.kind === 'own') return activation.name;
  if (activation.kind === 'matching-pursuit')
    return (
      `matching pursuit to a residual of ${activation.residualThreshold}, at most ` +
      `${activation.maxIterations} steps`
    );
  if (activation.kind !== 'jumprelu') return activation.kind;
  const { threshold } = activation;
  if ('value' in threshold) return `jumprelu, threshold ${Number(threshold.value.toPrecision(8))}`;
  return (
    'jumprelu, threshold ' +
    `${threshold.log ? `exp('${threshold.tensor}')` : `'${threshold.tensor}'`}`
  );
}

/** An SAE of a published format. `given` holds what describing it asked for. */
function publishedOf(description: SaeDescription, given: GivenSettings): PublishedSae {
  const { format, decoderNorm, notes, fromPath, exclusion, prependBos, publishedL0 } = description;
  const hookPoints = [...hookPointsOf(description)];
  const hooks = hookPoints.map((name) => parseHookName(name));
  const residual = description.form === 'crosscoder';
  const layers = hooks.flatMap((hook) =>
    hook === null || (residual && hook.site !== 'resid') ? [] : [hook.layer],
  );
  return {
    format,
    hookPoints,
    ...(isTranscoder(description) ? { hookPointsOut: [...hookPointsOutOf(description)] } : {}),
    ...('skip' in description && description.skip !== null ? { skip: true } : {}),
    layers: layers.length > 0 && layers.length === hookPoints.length ? layers : null,
    activation: activationText(description),
    k: kOf(description),
    normalization: inputText(
      description,
      given.faults.some(({ path }) => path === 'scale'),
    ),
    subtractsDecoderBias: readsOnePlace(description) ? description.subtractDecoderBias : null,
    decoderNorm,
    ...(fromPath === undefined ? {} : { fromPath }),
    ...(exclusion === undefined
      ? {}
      : {
          exclusion: {
            ...exclusion,
            ids: [...exclusion.ids],
            kept: exclusion.kept === null ? null : [...exclusion.kept],
          },
        }),
    ...(prependBos === undefined ? {} : { prependBos }),
    ...(description.groups === undefined ? {} : { groups: [...description.groups] }),
    ...(publishedL0 === undefined ? {} : { publishedL0 }),
    obstacle: obstacleOf(description),
    missing: given.faults,
    notes: [...notes],
  };
}

/** The fields that must be given, for people: `layer (TopK, Vanilla)`. */
function needsOf(choices: readonly SaeChoice[], m: number | null): string[] {
  const needs = new Map<string, string[]>();
  for (const { kind, fields } of choices)
    for (const { field, state, reason, instead } of fields) {
      if (state !== 'required') continue;
      const either = instead === undefined ? field : `${field} or ${instead}`;
      const plain = field === 'k' ? `k, 1…${m}` : either;
      const text = ['kind', 'layer', 'k', 'prefix'].includes(field) ? plain : `${field}: ${reason}`;
      needs.set(text, [...(needs.get(text) ?? []), kind]);
    }
  return [...needs].map(([text, kinds]) =>
    kinds.length === choices.length ? text : `${text} (${kinds.join(', ')})`,
  );
}

/** Number of routed layers of a bare state dict; null if it holds none. */
function routedLayersOf(file: SaeFile, [first]: readonly SaeKind[]): number | null {
  if (first === undefined) return null;
  const shapes = new Map([...file.checkpoint.entries].map(([name, { shape }]) => [name, shape]));
  return kindNamed(first).routedLayers?.(shapes) ?? null;
}

/** @throws SaeEvalError `file-not-found`, `checkpoint-*`, `sae-kind`. */
export async function describeCheckpoint(path: string): Promise<CheckpointDescription> {
  const files = await recognizeAll(path);
  const [file] = files;
  const prefixes = files.length === 1 ? [] : files.map(({ checkpoint }) => checkpoint.prefix);
  const candidates = file.candidates();
  const isBare = file.format.name === 'routesae' && file.configPath === null;
  // Formats without a list of candidates tell their kind.
  const tellsKind = file.format.candidates === undefined && candidates.length > 0;
  const kindKnown = candidates.length === 1 || tellsKind;
  const kindReason = kindKnown ? null : `this file could be ${candidates.join(' or ')}`;
  const choices = candidates.map((kind) => choiceOf(file, kind, { kindReason, prefixes }));
  const given = new GivenSettings(candidates[0] === undefined ? {} : { kind: candidates[0] });
  const description = candidates.length === 0 ? null : placedByPath(file.describe(given));
  const named = settingsInName(path);
  const m = description?.m ?? null;
  return {
    path,
    ...contentsOf(file.checkpoint),
    candidates: [...candidates],
    needs: needsOf(choices, m),
    d: description?.d ?? null,
    m,
    routedLayers: isBare ? routedLayersOf(file, candidates) : null,
    mustGive: Object.fromEntries(
      choices.map(({ kind, fields }) => [
        kind,
        fields.filter(({ state }) => state === 'required').map(({ field }) => field),
      ]),
    ),
    ...(isBare && candidates.length > 0 && Object.keys(named).length > 0 ? { named } : {}),
    kindKnown,
    prefixes,
    unused: description === null ? [] : unusedTensors(description),
    namedKind: tellsKind ? null : kindInName(path, candidates),
    obstacle: description === null ? null : obstacleOf(description),
    choices,
    published: isBare || description === null ? null : publishedOf(description, given),
  };
}
