/**
 * The place of an SAE in the language model: the layers it is measured and spliced at, by what its
 * file names and the request says.
 */
import type { Bilingual } from '../../bilingual.js';
import type { ErrorCode } from '../../errors.js';
import type { ModelConfig } from '../../lm/config.js';
import { familyNamed } from '../../lm/families/index.js';
import { parseHookName, type BlockSite, type HookPoint } from '../../lm/hook-names.js';
import type { Place, SaeDescription } from '../../sae/description.js';
import { pythonRandint } from '../../sae/kinds/python-random.js';
import type { SaeSpec } from '../../schema/index.js';
import { routedRange } from './routed-range.js';

export interface PlacedSae {
  /** The layer of an SAE on one layer, given, named or drawn; null if it has several. */
  layer: number | null;
  /** The layers it is measured on. */
  layers: number[];
  /** Site inside the block of its layer; null for the residual stream after it. */
  site: BlockSite | null;
  notes: Bilingual[];
}

export interface PlacingContext {
  model: ModelConfig;
  seed: number;
  /** Adds a fault of the request, by its field of the SAE. */
  add(field: string, message: string, code?: ErrorCode): void;
}

/** Reason why the model has no such hook point, with the code of the error, or null. */
function misplaced(
  name: string,
  hook: HookPoint | null,
  { layers: L, family, parallelResidual }: ModelConfig,
): { code: ErrorCode; message: string } | null {
  const wrong = (message: string, code: ErrorCode = 'sae-option') => ({ code, message });
  if (hook === null)
    return wrong(
      `unknown hook point ${name.slice(0, 80)}; expected one such as blocks.5.hook_resid_post, ` +
        'blocks.5.hook_mlp_out or blocks.5.attn.hook_z',
    );
  const named = `the file names the hook point ${name.slice(0, 80)}`;
  if (hook.layer > L)
    return wrong(
      `${named}, layer ${hook.layer} here; the model has ${L} blocks: it was trained on another ` +
        'model',
      'sae-width',
    );
  if (family === 'gpt2' && /hook_embed$/.test(name))
    return wrong(
      `${named}, token embeddings alone; this model adds position embeddings before the first ` +
        'place that can be replaced, blocks.0.hook_resid_pre',
    );
  if (hook.site !== 'resid' && family === 'torchscript')
    return wrong(`${named}; only residual streams of a TorchScript program can be reached`);
  if (hook.site === 'resid_mid' && parallelResidual)
    return wrong(
      `${named}; attention and MLP run side by side in this model, with nothing between them`,
    );
  // Behind a norm, a module's output is not what is added to the residual stream.
  const isBeforeNorm = familyNamed(family)?.normsAfter === true && !name.startsWith('blocks.');
  if ((hook.site === 'mlp_out' || hook.site === 'attn_out') && isBeforeNorm)
    return wrong(
      `${named}, the output of a module before its norm; only what comes after that norm can be ` +
        `replaced in a ${family}`,
    );
  return null;
}

/** The one hook point of an SAE: the file's, checked against the request's. */
function atHookPoint(
  { named, from }: Extract<Place, { over: 'hook point' }>,
  { kind }: SaeDescription,
  given: number | null,
  { model, add }: PlacingContext,
): (Omit<PlacedSae, 'layers'> & { layer: number }) | null {
  const hook = named === null ? null : parseHookName(named);
  const found = (layer: number, site: BlockSite | null = null, notes: Bilingual[] = []) => ({
    layer,
    site,
    notes,
  });
  if (hook === null && (named === null || from !== 'config')) {
    if (given !== null) return found(given);
    const why =
      from === 'name'
        ? `kind ${kind} needs layer, and the file’s name holds none`
        : named === null
          ? 'the file names no hook point'
          : `unknown hook point '${named.slice(0, 80)}'`;
    add(
      'layer',
      `${why}: give the block (1…${model.layers}) after which it reads the residual stream`,
    );
    return null;
  }
  if (from !== 'config' && given !== null && hook!.layer !== given)
    return found(given, null, [
      {
        en:
          `The ${from} of the file suggests ${named}; it was evaluated on the residual stream ` +
          `after block ${given}, as the request says.`,
        zh: `文件路径表明其位置为 ${named}；按请求在第 ${given} 块之后的残差流上评估。`,
      },
    ]);
  const wrong = misplaced(named!, hook, model);
  if (wrong !== null && from === 'name')
    add(
      'layer',
      `expected 1…${model.layers}, the blocks of the model, found ${hook!.layer} (the number is ` +
        "from the file's name)",
    );
  else if (wrong !== null) add('checkpoint', wrong.message, wrong.code);
  else if (given !== null && given !== hook!.layer)
    add(
      'layer',
      `the file names ${named}, which is layer ${hook!.layer} here (blocks count from 1), found ` +
        `${given}: leave layer out`,
    );
  else return found(hook!.layer, hook!.site === 'resid' ? null : hook!.site);
  return null;
}

/** The layer of a residual stream; null, with the reason added, for any other hook point. */
function residualLayer(name: string, { model, add }: PlacingContext): number | null {
  const hook = parseHookName(name);
  const wrong = misplaced(name, hook, model);
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

/** Adds a fault if the SAE does not have the width of its site. */
function checkWidth(d: number, site: BlockSite | null, { model, add }: PlacingContext): void {
  const [width, what] =
    site === 'attn_z'
      ? [model.heads * model.headDim, "the heads' outputs side by side"]
      : [model.width, "the model's residual stream"];
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
  if (place.over !== 'hook point' && place.over !== 'drawn layer') {
    if (given !== null)
      add(
        'layer',
        `kind ${kind} uses several layers; leave layer out` +
          (kind === 'MLSAE' ? ', or give kind TopK for one layer' : ''),
      );
    const layers = severalLayers(place, context);
    checkWidth(d, null, context);
    return { layer: null, layers, site: null, notes: [] };
  }
  if (given !== null && given > model.layers)
    add('layer', `expected 1…${model.layers}, the blocks of the model, found ${given}`);
  const found = ((): (Omit<PlacedSae, 'layers'> & { layer: number }) | null => {
    if (given !== null && given > model.layers) return null;
    if (place.over === 'hook point') return atHookPoint(place, description, given, context);
    const { first, last } = routedRange(model.layers);
    const layer = given ?? pythonRandint({ seed, low: first, high: last });
    return { layer, site: null, notes: [] };
  })();
  checkWidth(d, found?.site ?? null, context);
  return found === null ? null : { ...found, layers: [found.layer] };
}
