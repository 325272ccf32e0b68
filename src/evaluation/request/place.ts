/**
 * A published SAE of a request against the language model: where it is measured and spliced, as
 * which kind, and what of the request contradicts the file. Headers only; native-free.
 */
import type { GivenSettings, PublishedDescription } from '../../sae/formats/recognise.js';
import { asSaeEvalError, type ErrorCode } from '../../errors.js';
import type { ModelConfig } from '../../lm/config.js';
import { parseHookName, type BlockSite, type HookPoint } from '../../lm/hook-names.js';
import { publishedKind } from '../../sae/published/kind.js';
import { pythonRandint } from '../../sae/kinds/python-random.js';
import { routedRange } from './routed-range.js';
import type { Bilingual, ResolvedRequest, SaeKind, SaeSpec } from '../../schema/index.js';

type Add = (field: string, message: string, code?: ErrorCode) => void;

export interface PublishedPlace {
  kind: SaeKind;
  layer: number | null;
  layers: number[];
  /** Inside the block of its layer; null: the residual stream after it. */
  site: BlockSite | null;
  notes: Bilingual[];
}

/**
 * What the request gives beside the file: an override of the whole run counts only where it is the
 * only setting.
 */
export function givenSettings(
  spec: SaeSpec,
  { inferK, theta }: Pick<ResolvedRequest, 'inferK' | 'theta'>,
): GivenSettings {
  return {
    ...(spec.scale === undefined ? {} : { scale: spec.scale }),
    ...(spec.centered === undefined ? {} : { centred: spec.centered }),
    ...(spec.k === undefined ? {} : { k: spec.k }),
    ...(typeof theta === 'number' ? { theta } : {}),
    ...(typeof inferK === 'number' ? { inferK } : {}),
  };
}

interface Place {
  layer: number;
  site: BlockSite | null;
}

/**
 * Families with a norm after attention and MLP, where a module's output is not what is added to the
 * residual stream.
 */
const normsAfter: ReadonlySet<ModelConfig['family']> = new Set<ModelConfig['family']>([
  'gemma2',
  'gemma3',
  'olmo2',
]);

/** Why the model has no such place, with the code of the error, or null. */
function misplaced(
  name: string,
  hook: HookPoint | null,
  { layers: L, family, parallelResidual }: ModelConfig,
): { code: ErrorCode; message: string } | null {
  const named = `the file names the hook point ${name.slice(0, 80)}`;
  if (hook === null)
    return {
      code: 'sae-option',
      message:
        `${named}, which is none that is known; expected one such as ` +
        'blocks.5.hook_resid_post, blocks.5.hook_mlp_out or blocks.5.attn.hook_z',
    };
  if (hook.layer > L)
    return {
      code: 'sae-width',
      message:
        `${named}, layer ${hook.layer} here; the model has ${L} blocks: it was trained on ` +
        'another model',
    };
  if (family === 'gpt2' && /hook_embed$/.test(name))
    return {
      code: 'sae-option',
      message:
        `${named}, token embeddings alone; in this model position embeddings are added ` +
        'before the first place that can be replaced, blocks.0.hook_resid_pre',
    };
  if (hook.site !== 'resid' && family === 'torchscript')
    return {
      code: 'sae-option',
      message: `${named}; of a TorchScript program only residual streams can be reached`,
    };
  if (hook.site === 'resid_mid' && parallelResidual)
    return {
      code: 'sae-option',
      message:
        `${named}; in this model attention and MLP run side by side, with nothing between ` +
        'them',
    };
  if (
    (hook.site === 'mlp_out' || hook.site === 'attn_out') &&
    !name.startsWith('blocks.') &&
    normsAfter.has(family)
  )
    return {
      code: 'sae-option',
      message:
        `${named}, the output of a module before its norm; in a ${family} what can be ` +
        'replaced is what comes after it',
    };
  return null;
}

/** The layer of a residual stream; null with the reason added where it is another place. */
function residualLayer(name: string, model: ModelConfig, add: Add): number | null {
  const hook = parseHookName(name);
  const wrong = misplaced(name, hook, model);
  if (wrong !== null) add('checkpoint', wrong.message, wrong.code);
  else if (hook!.site !== 'resid')
    add(
      'checkpoint',
      `the file names the hook point ${name}; crosscoders are evaluated on residual streams`,
      'sae-option',
    );
  else return hook!.layer;
  return null;
}

/** The place of an SAE on one site: the file's, checked against the request's. */
function placeOf(
  spec: SaeSpec,
  description: Extract<PublishedDescription, { form: 'sae' }>,
  model: ModelConfig,
  add: Add,
  notes: Bilingual[],
): Place | null {
  const { hookPoint: name, hookPointFrom } = description;
  const given = spec.layer ?? null;
  if (given !== null && given > model.layers) {
    add('layer', `expected 1…${model.layers}, the blocks of the model, found ${given}`);
    return null;
  }
  const hook = name === null ? null : parseHookName(name);
  if (name === null || (hook === null && hookPointFrom === 'path')) {
    if (given !== null) return { layer: given, site: null };
    add(
      'layer',
      '' +
        (name === null
          ? 'the file names no hook point'
          : `the hook point '${name.slice(0, 80)}' is none that is known`) +
        `: give the block (1…${model.layers}) after which it reads the residual stream`,
    );
    return null;
  }
  if (given !== null && hookPointFrom === 'path' && hook!.layer !== given) {
    notes.push({
      en:
        `The path of the file suggests ${name}; it was evaluated on the residual stream ` +
        `after block ${given}, as the request says.`,
      zh: `文件路径表明其位置为 ${name}；按请求在第 ${given} 块之后的残差流上评估。`,
    });
    return { layer: given, site: null };
  }
  const wrong = misplaced(name, hook, model);
  if (wrong !== null) add('checkpoint', wrong.message, wrong.code);
  else if (given !== null && given !== hook!.layer)
    add(
      'layer',
      `the file names ${name}, which is layer ${hook!.layer} here (blocks count from 1), ` +
        `found ${given}: leave layer out`,
    );
  else return { layer: hook!.layer, site: hook!.site === 'resid' ? null : hook!.site };
  return null;
}

/**
 * Families whose norms take the mean off, in which TransformerLens centres what is written to the
 * residual stream.
 */
const centring: ReadonlySet<ModelConfig['family']> = new Set<ModelConfig['family']>([
  'gpt2',
  'gpt-neox',
]);

/**
 * With `centred` as the model has it: where norms keep the mean, TransformerLens leaves it in the
 * residual stream.
 */
export function centredFor(
  description: PublishedDescription,
  { family }: ModelConfig,
  spec: SaeSpec,
): PublishedDescription {
  if (description.form === 'crosscoder' || !description.centred || spec.centered === true)
    return description;
  const heads =
    description.hookPoint !== null && parseHookName(description.hookPoint)?.site === 'attn_z';
  if (centring.has(family) && !heads) return description;
  return { ...description, centred: false };
}

/** What is worth knowing where neither file nor request says whether the input was centred. */
function centringNote(
  description: PublishedDescription,
  { family }: ModelConfig,
  spec: SaeSpec,
): Bilingual[] {
  if (
    description.form === 'crosscoder' ||
    description.source !== 'saelens' ||
    description.centred ||
    spec.centered !== undefined ||
    !centring.has(family)
  )
    return [];
  return [
    {
      en:
        'The file does not say whether the residual stream it was trained on was centred ' +
        '(center_writing_weights of TransformerLens, as for gpt2-small-res-jb). If it was, ' +
        'give centered: true.',
      zh:
        '文件未说明训练时残差流是否去均值（TransformerLens 的 center_writing_weights，例如 ' +
        'gpt2-small-res-jb）。若是，请给出 centered: true。',
    },
  ];
}

/** Layers of a crosscoder over sites of one model. */
function crosscoderLayers(
  description: Extract<PublishedDescription, { form: 'crosscoder' }>,
  model: ModelConfig,
  add: Add,
): number[] {
  const { hookPoints, sites } = description;
  if (hookPoints === null) {
    add(
      'checkpoint',
      `a crosscoder between ${sites} models at one hook point, which no single language ` +
        `model can be evaluated with; loadSAE loads it for activations of all ${sites}`,
      'sae-kind',
    );
    return [];
  }
  const layers = hookPoints.map((name) => residualLayer(name, model, add));
  if (layers.includes(null)) return [];
  if (new Set(layers).size < layers.length)
    add(
      'checkpoint',
      `the file names a layer twice among its hook points (${hookPoints.slice(0, 8).join(', ')})`,
      'sae-kind',
    );
  return layers as number[];
}

/**
 * The place of a published SAE in the model, with everything that is wrong about it added; null
 * where there is none.
 */
export function placePublished(
  spec: SaeSpec,
  description: PublishedDescription,
  { model, seed, add }: { model: ModelConfig; seed: number; add: Add },
): PublishedPlace | null {
  const { d, activation } = description;
  let kind: SaeKind;
  try {
    kind = publishedKind(description, spec.kind);
  } catch (thrown) {
    const error = asSaeEvalError(thrown);
    add('kind', error.message, error.code);
    return null;
  }
  if (spec.k !== undefined && activation.kind !== 'topk')
    add(
      'k',
      `this SAE has no k (its activation is ${activation.kind}); leave it out, or use ` +
        'inferK for all SAEs of the run',
    );
  for (const field of ['routing', 'aggregation'] as const)
    if (spec[field] !== undefined) add(field, `is for RouteSAE only, this SAE is a ${kind}`);
  if (spec.centered !== undefined && description.form === 'crosscoder')
    add('centered', 'is not for crosscoders; leave it out');
  if (description.form === 'sae' && description.obstacle !== undefined) {
    add('checkpoint', description.obstacle, 'sae-kind');
    return null;
  }
  const notes = [...description.notes, ...centringNote(description, model, spec)];
  const range = routedRange(model.layers);
  const fits = (site: BlockSite | null): void => {
    const [width, what] =
      site === 'attn_z'
        ? [model.heads * model.headDim, "the heads' outputs side by side"]
        : [model.width, "the model's residual stream"];
    if (d !== width)
      add(
        'checkpoint',
        `expected an SAE of width ${width}, ${what}, found ${d}: it was trained on another ` +
          'model or another site',
        'sae-width',
      );
  };
  if (description.form === 'crosscoder' || kind === 'MLSAE') {
    if (spec.layer !== undefined)
      add(
        'layer',
        `kind ${kind} uses several layers; leave layer ` +
          `out${kind === 'MLSAE' ? ', or give kind TopK for one layer' : ''}`,
      );
    const layers =
      description.form === 'crosscoder' ? crosscoderLayers(description, model, add) : range.layers;
    fits(null);
    return { kind, layer: null, layers, site: null, notes };
  }
  if (kind === 'RandomK') {
    const layer = spec.layer ?? pythonRandint({ seed, low: range.first, high: range.last });
    if (layer > model.layers)
      add('layer', `expected 1…${model.layers}, the blocks of the model, found ${layer}`);
    fits(null);
    return { kind, layer, layers: [layer], site: null, notes };
  }
  const place = placeOf(spec, description, model, add, notes);
  fits(place?.site ?? null);
  return {
    kind,
    layer: place?.layer ?? null,
    layers: place === null ? [] : [place.layer],
    site: place?.site ?? null,
    notes,
  };
}
