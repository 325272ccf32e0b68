/**
 * The place of an SAE in the language model: the layers it is measured and spliced at, by what its
 * file names and the request says.
 */
import type { Bilingual } from '../../bilingual.js';
import type { ErrorCode } from '../../errors.js';
import type { ModelConfig } from '../../lm/config.js';
import { hookNameOf, type BlockSite } from '../../lm/hook-names.js';
import { hookPointsOf, type Place, type SaeDescription } from '../../sae/description.js';
import { pythonRandint } from '../../sae/kinds/python-random.js';
import type { SaeSpec } from '../../schema/index.js';
import { checkHead } from './head.js';
import { atGivenHook, atHookPoint, type FoundPlace } from './hook-point.js';
import { hookIn, misplaced } from './misplaced.js';
import { placeLayers, placeOut, type ReadPlace } from './place-out.js';
import { routedRange } from './routed-range.js';

export interface PlacedSae {
  /** The layer of an SAE on one layer, given, named or drawn; null if it has several. */
  layer: number | null;
  /** The layers it is measured on. */
  layers: number[];
  /** Site inside the block of its layer; null for the residual stream after it. */
  site: BlockSite | null;
  /** The one head whose output it reads at its site, from 0; absent if it reads all. */
  head?: number;
  /** Names of its hook points, as the request or the file has them; null if neither names one. */
  hookPoint: string | null;
  /** Names of the hook points that a transcoder predicts; the places above are theirs. */
  hookOut: string | null;
  /** Places that an SAE reads that predicts others or several; null for the rest. */
  reads: readonly ReadPlace[] | null;
  notes: Bilingual[];
}

export interface PlacingContext {
  model: ModelConfig;
  seed: number;
  /** Adds a fault of the request, by its field of the SAE. */
  add(field: string, message: string, code?: ErrorCode): void;
}

/** The layer of a residual stream; null, with the reason added, for any other hook point. */
function residualLayer(name: string, { model, add }: PlacingContext): number | null {
  const hook = hookIn(model, name);
  const wrong = misplaced(name, hook, { model, speaker: 'the file' });
  if (wrong !== null) add('checkpoint', wrong.message, wrong.code);
  else if (hook!.site === 'resid') return hook!.layer;
  else
    add(
      'checkpoint',
      `the file names the hook point ${name}; crosscoders are evaluated on residual streams`,
      'sae-option',
    );
  return null;
}

/** The layers of an SAE over several sites or layers. */
function severalLayers(
  place: Exclude<Place, { over: 'hook point' | 'drawn layer' }>,
  context: PlacingContext,
): number[] {
  const { model, add } = context;
  if (place.over === 'models') {
    add(
      'checkpoint',
      `a crosscoder between ${place.count} models at one hook point, which no single language ` +
        `model can be evaluated with; loadSAE loads it for activations of all ${place.count}`,
      'sae-kind',
    );
    return [];
  }
  if (place.over === 'routed range') {
    const { first, last, layers } = routedRange(model.layers);
    if (place.layers !== null && place.layers !== layers.length)
      add(
        'checkpoint',
        `the file has ${place.layers} routed layers, a model of ${model.layers} blocks has ` +
          `${layers.length} (${first}…${last}): it was trained on another model`,
      );
    return layers;
  }
  const layers = place.named.map((name) => residualLayer(name, context));
  if (layers.some((layer) => layer === null)) return [];
  if (new Set(layers).size < layers.length)
    add(
      'checkpoint',
      'the file names a layer twice among its hook points ' +
        `(${place.named.slice(0, 8).join(', ')})`,
      'sae-kind',
    );
  return layers as number[];
}

/** A residual stream that was drawn or given, for an SAE that may have been trained elsewhere. */
function atDrawnLayer(named: string | null, layer: number, { model }: PlacingContext): FoundPlace {
  const trained = named === null ? null : hookIn(model, named);
  const hookPoint = named === null ? null : hookNameOf({ site: 'resid', layer });
  const notes: Bilingual[] = [
    {
      en:
        `It was trained at ${named}; as RandomK it was evaluated on the residual stream after ` +
        `block ${layer}.`,
      zh: `其训练位置为 ${named}；作为 RandomK，在第 ${layer} 块之后的残差流上评估。`,
    },
  ];
  const isElsewhere = trained !== null && trained.site !== 'resid';
  return { layer, site: null, hookPoint, notes: isElsewhere ? notes : [] };
}

/** Number and width of the heads of block `layer`, from 1. */
export function headsAt(
  { heads, headDim, deltaNet }: ModelConfig,
  layer: number | null,
): { heads: number; width: number } {
  const isLinear = layer !== null && deltaNet?.inBlock[layer - 1] === true;
  return isLinear
    ? { heads: deltaNet.valueHeads, width: deltaNet.valueDim }
    : { heads, width: headDim };
}

/** Width of the activations at a site of block `layer`, from 1, and what they are. */
export function widthAt(
  site: BlockSite | null,
  model: ModelConfig,
  layer: number | null = null,
): [number, string] {
  if (site === 'attn_z') {
    const { heads, width } = headsAt(model, layer);
    return [heads * width, "the heads' outputs side by side"];
  }
  if (site === 'mlp_post') return [model.mlpWidth, 'the neurons of the MLP'];
  return [model.width, "the model's residual stream"];
}

/** Adds a fault if the SAE does not have the width of its site. */
function checkWidth(
  d: number,
  { site, layer }: Pick<FoundPlace, 'site' | 'layer'>,
  { model, add }: PlacingContext,
): void {
  const [width, what] = widthAt(site, model, layer);
  if (d !== width)
    add(
      'checkpoint',
      `expected an SAE of width ${width}, ${what}, found ${d}: it was trained on another ` +
        'model or ' +
        'another site',
      'sae-width',
    );
}

/** The place of an SAE in the model; null if it has none. Every fault is added. */
export function placeSae(
  spec: SaeSpec,
  description: SaeDescription,
  context: PlacingContext,
): PlacedSae | null {
  const { model, seed, add } = context;
  const { kind, place, d, obstacle } = description;
  if (obstacle !== undefined) {
    add('checkpoint', obstacle, 'sae-kind');
    return null;
  }
  const given = spec.layer ?? null;
  const isTranscoder = description.form === 'transcoder' && place.over === 'hook point';
  if (spec.hookOut !== undefined && !isTranscoder)
    add('hookOut', `is for SAEs on one hook point, this SAE is a ${kind}; leave it out`);
  if (place.over !== 'hook point' && place.over !== 'drawn layer') {
    for (const field of ['layer', 'hook'] as const)
      if (spec[field] !== undefined)
        add(
          field,
          `kind ${kind} uses several layers; leave ${field} out` +
            (kind === 'MLSAE' ? ', or give kind TopK for one layer' : ''),
        );
    if (description.form === 'cross-layer') return placeLayers(description, context);
    const layers = severalLayers(place, context);
    checkWidth(d, { site: null, layer: 0 }, context);
    const names = hookPointsOf(description);
    return {
      layer: null,
      layers,
      site: null,
      hookPoint: names.length === 0 ? null : names.join(', '),
      hookOut: null,
      reads: null,
      notes: [],
    };
  }
  if (given !== null && given > model.layers)
    add('layer', `expected 1…${model.layers}, the blocks of the model, found ${given}`);
  const found = ((): FoundPlace | null => {
    if (given !== null && given > model.layers) return null;
    if (spec.hook !== undefined)
      return atGivenHook(spec.hook, place.over === 'hook point' ? place : null, context);
    if (place.over === 'hook point') return atHookPoint(description, given, context);
    const { first, last } = routedRange(model.layers);
    return atDrawnLayer(
      place.named,
      given ?? pythonRandint({ seed, low: first, high: last }),
      context,
    );
  })();
  if (description.form === 'transcoder')
    return found === null ? null : placeOut(spec, description, found, context);
  if (found === null && spec.hook !== undefined) return null;
  const head = place.over === 'hook point' ? place.head : undefined;
  if (head === undefined) checkWidth(d, found ?? { site: null, layer: 0 }, context);
  if (found === null) return null;
  if (head !== undefined && !checkHead({ d, head, ...found }, context)) return null;
  return {
    ...found,
    layers: [found.layer],
    ...(head === undefined ? {} : { head }),
    hookOut: null,
    reads: null,
  };
}
