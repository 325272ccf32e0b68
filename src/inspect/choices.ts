/**
 * The choices that a request has with a checkpoint: for each kind it can be evaluated as, the place
 * and the settings that the file knows, and the fields that the request must or may give.
 */
import { isElsewhere, whyAsked } from '../evaluation/request/hook-point.js';
import { placedByPath } from '../evaluation/request/path-hook.js';
import { parseHookName, type HookPoint } from '../lm/hook-names.js';
import {
  hookPointsOf,
  kOf,
  normalizationsOf,
  readsOnePlace,
  type Normalization,
  type SaeDescription,
} from '../sae/description.js';
import type { SaeFile } from '../sae/formats/recognize.js';
import { GivenSettings, type FieldFinding } from '../sae/given.js';
import type { SaeKind } from '../sae/kinds/kinds.js';
import type { SaeChoice } from '../schema/catalogue.js';

function normalizationText(normalization: Normalization): string {
  switch (normalization.kind) {
    case 'none':
      return 'none (raw activations)';
    case 'pre':
      return 'pre: (h − mean) / (std + 1e-6), in the language model’s dtype';
    case 'layer-norm':
      return `layer-norm: (h − mean) / (std + ${normalization.epsilon})`;
    case 'token-norm':
      return 'token-norm: h · √d / ‖h‖';
    case 'scale':
      return `scale: h · ${Number(normalization.factor.toPrecision(8))}`;
  }
}

/** The normalization in words; `asked`: whether the request must give its scale. */
export function inputText(description: SaeDescription, asked: boolean): string {
  if (asked) return 'scale: not in the file';
  const texts = new Set(normalizationsOf(description).map(normalizationText));
  const isCentered = readsOnePlace(description) && description.centered;
  return `${isCentered ? 'mean taken off; ' : ''}${[...texts].join('; ')}`;
}

/** Reason why no request can evaluate it, or null. */
export function obstacleOf(description: SaeDescription): string | null {
  const { place } = description;
  if (description.obstacle !== undefined) return description.obstacle;
  if (place.over === 'models')
    return (
      `a crosscoder between ${place.count} models, which no single language model can be ` +
      'evaluated with'
    );
  if (place.over === 'hook points') {
    const isOther = (name: string): boolean => {
      const hook = parseHookName(name);
      return hook === null || (description.form === 'crosscoder' && hook.site !== 'resid');
    };
    const elsewhere = place.named.find(isOther);
    return elsewhere === undefined
      ? null
      : `its hook point ${elsewhere} is not the residual stream`;
  }
  // A request may say where an SAE belongs whose file does not.
  if (place.over !== 'hook point' || place.from !== 'config' || place.named === null) return null;
  return parseHookName(place.named) === null ? `unknown hook point ${place.named}` : null;
}

/** The findings about `hookOut`; none for SAEs that predict what they read. */
function outFindings({ form, place }: SaeDescription): FieldFinding[] {
  if (form !== 'transcoder' || place.over !== 'hook point') return [];
  return place.out
    ? [{ field: 'hookOut', state: 'known', value: place.out, reason: `the ${place.from}` }]
    : [
        {
          field: 'hookOut',
          state: 'required',
          reason: 'the file does not name the hook point that this transcoder predicts',
        },
      ];
}

/** The findings about `layer` and `hook`; none for kinds over several layers. */
function placeFindings(description: SaeDescription, hook: HookPoint | null): FieldFinding[] {
  const { place } = description;
  if (place.over === 'drawn layer')
    return [{ field: 'layer', state: 'optional', reason: 'drawn by the seed if left out' }];
  if (place.over !== 'hook point') return [];
  const { named, from } = place;
  const sources = {
    config: `the configuration: ${named}`,
    path: `the file’s path: ${named}`,
    name: 'the file’s name',
  };
  const example = 'such as blocks.5.hook_mlp_out';
  if (hook !== null)
    return [
      { field: 'layer', state: 'known', value: hook.layer, reason: sources[from] },
      ...(from === 'config'
        ? []
        : [
            {
              field: 'hook',
              state: 'optional',
              reason: `instead of layer, if the path is wrong, ${example}`,
            } as const,
          ]),
    ];
  const why = whyAsked(description);
  if (isElsewhere(place))
    return [{ field: 'hook', state: 'required', reason: `${why}: where it reads, ${example}` }];
  return [
    {
      field: 'layer',
      state: 'required',
      reason: `${why}: give the block after which it reads the residual stream`,
      instead: 'hook',
    },
    { field: 'hook', state: 'optional', reason: `instead of layer: another place, ${example}` },
  ];
}

export interface ChoiceOptions {
  /** Why the kind must be given; null if it need not be. */
  kindReason: string | null;
  /** Prefixes among which a request must choose; empty for a file with one SAE. */
  prefixes: readonly string[];
}

/** The choice of one kind. */
export function choiceOf(
  file: SaeFile,
  kind: SaeKind,
  { kindReason, prefixes }: ChoiceOptions,
): SaeChoice {
  const given = new GivenSettings({ kind });
  const description = placedByPath(file.describe(given));
  const hooks = hookPointsOf(description).map((name) => parseHookName(name));
  const single = description.place.over === 'hook point' ? (hooks[0] ?? null) : null;
  const several = description.place.over === 'hook points' && !hooks.includes(null);
  const about: FieldFinding =
    kindReason === null
      ? { field: 'kind', state: 'known', value: kind, reason: 'the file' }
      : { field: 'kind', state: 'required', reason: kindReason };
  const routing: FieldFinding[] =
    description.form !== 'routed'
      ? []
      : [
          { field: 'aggregation', state: 'optional', value: 'sum', reason: 'default' },
          { field: 'routing', state: 'optional', value: 'hard', reason: 'default' },
        ];
  const prefix: FieldFinding[] =
    prefixes.length === 0
      ? []
      : [
          {
            field: 'prefix',
            state: 'required',
            options: prefixes,
            reason: `the file holds ${prefixes.length} SAEs`,
          },
        ];
  const fields = [
    about,
    ...prefix,
    ...placeFindings(description, single),
    ...outFindings(description),
    ...given.findings,
    ...routing,
  ];
  const asks = (field: string): boolean =>
    fields.some((one) => one.field === field && one.state === 'required');
  return {
    kind,
    layer: single?.layer ?? null,
    layers: several ? hooks.map((hook) => hook!.layer) : null,
    site: single === null || single.site === 'resid' ? null : single.site,
    k: asks('k') ? null : kOf(description),
    ...(description.groups === undefined ? {} : { groups: [...description.groups] }),
    normalization: inputText(description, asks('scale')),
    fields: fields.map(({ options, ...field }) => ({
      ...field,
      ...(options === undefined ? {} : { options: [...options] }),
    })),
  };
}
