/**
 * A published SAE of a request against the language model: where it is measured and spliced, as which kind, and what of the
 * request contradicts the file. Headers only; native-free.
 */
import type { GivenSettings, PublishedDescription } from '../checkpoint/formats/index.js';
import { asSaeEvalError, type ErrorCode } from '../errors.js';
import type { ModelConfig } from '../lm/config.js';
import { parseHookName, type HookPoint } from '../lm/hook-names.js';
import { publishedKind } from '../sae/published/kind.js';
import { pythonRandint } from '../sae/python-random.js';
import { routedRange } from './routed-range.js';
import type { Bilingual, ResolvedRequest, SaeKind, SaeSpec } from './schema/index.js';

type Add = (field: string, message: string, code?: ErrorCode) => void;

export interface PublishedPlace {
  kind: SaeKind;
  layer: number | null;
  layers: number[];
  notes: Bilingual[];
}

/** What the request gives beside the file: an override of the whole run counts only where it is the only setting. */
export function givenSettings(spec: SaeSpec, { inferK, theta }: Pick<ResolvedRequest, 'inferK' | 'theta'>): GivenSettings {
  return {
    ...(spec.scale === undefined ? {} : { scale: spec.scale }),
    ...(spec.centered === undefined ? {} : { centred: spec.centered }),
    ...(spec.k === undefined ? {} : { k: spec.k }),
    ...(typeof theta === 'number' ? { theta } : {}),
    ...(typeof inferK === 'number' ? { inferK } : {}),
  };
}

/** Where a residual stream is read: the layer, or null with the reason added. */
function residualLayer(name: string, hook: HookPoint | null, { layers: L }: ModelConfig, add: Add): number | null {
  if (hook === null) add('checkpoint', `the file names the hook point ${JSON.stringify(name.slice(0, 80))}, which is none that is known; expected a residual stream such as blocks.5.hook_resid_post`, 'sae-option');
  else if (hook.site !== 'resid') add('checkpoint', `the file names the hook point ${name}; SAEs are evaluated on the residual stream (hook_resid_pre, hook_resid_post, the output of a block)`, 'sae-option');
  else if (hook.layer > L) add('checkpoint', `the file names the hook point ${name}, layer ${hook.layer} here; the model has ${L} blocks: it was trained on another model`, 'sae-width');
  else return hook.layer;
  return null;
}

/** The layer of an SAE on one layer: the file's, checked against the request's. */
function singleLayer(spec: SaeSpec, description: Extract<PublishedDescription, { form: 'sae' }>, model: ModelConfig, add: Add, notes: Bilingual[]): number | null {
  const { hookPoint: name, hookPointFrom } = description;
  const given = spec.layer ?? null;
  if (given !== null && given > model.layers) {
    add('layer', `expected 1…${model.layers}, the blocks of the model, found ${given}`);
    return null;
  }
  const hook = name === null ? null : parseHookName(name);
  if (name === null || (hook === null && hookPointFrom === 'path')) {
    if (given === null) add('layer', `${name === null ? 'the file names no hook point' : `the hook point '${name.slice(0, 80)}' is none that is known`}: give the block (1…${model.layers}) after which it reads the residual stream`);
    return given;
  }
  if (given !== null && hookPointFrom === 'path' && (hook?.site !== 'resid' || hook.layer !== given)) {
    notes.push({
      en: `The path of the file suggests ${name}; it was evaluated after block ${given}, as the request says.`,
      zh: `文件路径表明其位置为 ${name}；按请求在第 ${given} 块之后评估。`,
    });
    return given;
  }
  const layer = residualLayer(name, hook, model, add);
  if (layer === null || given === null || given === layer) return layer;
  add('layer', `the file names ${name}, which is layer ${layer} here (layers count the blocks before them, from 1), found ${given}: leave layer out`);
  return null;
}

/** Families whose norms take the mean off, in which TransformerLens centres what is written to the residual stream. */
const centring: ReadonlySet<ModelConfig['family']> = new Set<ModelConfig['family']>(['gpt2', 'gpt-neox']);

/** With `centred` as the model has it: where norms keep the mean, TransformerLens leaves it in the residual stream. */
export function centredFor(description: PublishedDescription, { family }: ModelConfig, spec: SaeSpec): PublishedDescription {
  if (description.form === 'crosscoder' || !description.centred || spec.centered === true || centring.has(family)) return description;
  return { ...description, centred: false };
}

/** What is worth knowing where neither file nor request says whether the input was centred. */
function centringNote(description: PublishedDescription, { family }: ModelConfig, spec: SaeSpec): Bilingual[] {
  if (description.form === 'crosscoder' || description.source !== 'saelens' || description.centred || spec.centered !== undefined || !centring.has(family)) return [];
  return [{
    en: 'The file does not say whether the residual stream it was trained on was centred (center_writing_weights of TransformerLens, as for gpt2-small-res-jb). If it was, give centered: true.',
    zh: '文件未说明训练时残差流是否去均值（TransformerLens 的 center_writing_weights，例如 gpt2-small-res-jb）。若是，请给出 centered: true。',
  }];
}

/** Layers of a crosscoder over sites of one model. */
function crosscoderLayers(description: Extract<PublishedDescription, { form: 'crosscoder' }>, model: ModelConfig, add: Add): number[] {
  const { hookPoints, sites } = description;
  if (hookPoints === null) {
    add('checkpoint', `a crosscoder between ${sites} models at one hook point, which no single language model can be evaluated with; loadSAE loads it for activations of all ${sites}`, 'sae-kind');
    return [];
  }
  const layers = hookPoints.map((name) => residualLayer(name, parseHookName(name), model, add));
  if (layers.includes(null)) return [];
  if (new Set(layers).size < layers.length) add('checkpoint', `the file names a layer twice among its hook points (${hookPoints.slice(0, 8).join(', ')})`, 'sae-kind');
  return layers as number[];
}

/** The place of a published SAE in the model, with everything that is wrong about it added; null where there is none. */
export function placePublished(spec: SaeSpec, description: PublishedDescription, { model, seed, add }: { model: ModelConfig; seed: number; add: Add }): PublishedPlace | null {
  const { d, activation } = description;
  let kind: SaeKind;
  try {
    kind = publishedKind(description, spec.kind);
  } catch (thrown) {
    const error = asSaeEvalError(thrown);
    add('kind', error.message, error.code);
    return null;
  }
  if (spec.k !== undefined && activation.kind !== 'topk') add('k', `this SAE has no k (its activation is ${activation.kind}); leave it out, or use inferK for all SAEs of the run`);
  for (const field of ['routing', 'aggregation'] as const) if (spec[field] !== undefined) add(field, `is for RouteSAE only, this SAE is a ${kind}`);
  if (d !== model.width) add('checkpoint', `expected an SAE of width ${model.width}, the model's residual stream, found ${d}: it was trained on another model or another site`, 'sae-width');
  if (spec.centered !== undefined && description.form === 'crosscoder') add('centered', 'is not for crosscoders; leave it out');
  const notes = [...description.notes, ...centringNote(description, model, spec)];
  const range = routedRange(model.layers);
  if (description.form === 'crosscoder' || kind === 'MLSAE') {
    if (spec.layer !== undefined) add('layer', `kind ${kind} uses several layers; leave layer out${kind === 'MLSAE' ? ', or give kind TopK for one layer' : ''}`);
    const layers = description.form === 'crosscoder' ? crosscoderLayers(description, model, add) : range.layers;
    return { kind, layer: null, layers, notes };
  }
  if (kind === 'RandomK') {
    const layer = spec.layer ?? pythonRandint({ seed, low: range.first, high: range.last });
    if (layer > model.layers) add('layer', `expected 1…${model.layers}, the blocks of the model, found ${layer}`);
    return { kind, layer, layers: [layer], notes };
  }
  const layer = singleLayer(spec, description, model, add, notes);
  return { kind, layer, layers: layer === null ? [] : [layer], notes };
}
