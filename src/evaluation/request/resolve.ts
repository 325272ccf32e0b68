/**
 * Checks a request against the headers of the files it names, before anything is loaded, and fills
 * in what the files and the defaults decide. Native-free: no tensor is read, nothing of libtorch is
 * loaded.
 */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { z } from 'zod';
import { recognise, type PublishedDescription } from '../../sae/formats/recognise.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { asSaeEvalError, SaeEvalError, type ErrorCode, type FieldError } from '../../errors.js';
import { readModelConfig, type ModelConfig } from '../../lm/config.js';
import type { BlockSite } from '../../lm/hook-names.js';
import { kindLayout, resolveKind, type SaeSizes } from '../../sae/layout.js';
import { pythonRandint } from '../../sae/kinds/python-random.js';
import { withNamedSettings } from '../../sae/formats/file-name.js';
import { labelsFor } from './labels.js';
import { centredFor, givenSettings, placePublished } from './place.js';
import { requestProblem } from './request-problems.js';
import { routedRange } from './routed-range.js';
import {
  requestSchema,
  type Bilingual,
  type EvaluationRequest,
  type ResolvedRequest,
  type SaeKind,
  type SaeSpec,
} from '../../schema/index.js';

/** An SAE of a request with everything decided. */
export interface ResolvedSae {
  label: string;
  kind: SaeKind;
  checkpoint: Checkpoint;
  sizes: SaeSizes;
  /** The layer of a single-layer kind, given or drawn. */
  layer: number | null;
  /** The layers it is measured on. */
  layers: number[];
  /** Where inside the block of its layer; null: the residual stream. */
  site: BlockSite | null;
  k: number | null;
  routing: 'hard' | 'soft' | null;
  aggregation: 'sum' | 'mean' | null;
  /** What it is where its layout is a published one; null for the RouteSAE family. */
  published: PublishedDescription | null;
  /** What a result should say of it. */
  notes: Bilingual[];
}

export interface ValidatedRequest {
  /** With every default filled in: labels, kinds, RandomK's drawn layer, RouteSAE's routing. */
  request: ResolvedRequest;
  model: ModelConfig;
  saes: ResolvedSae[];
  /** Paths as the file system knows them. */
  paths: { model: string; dataset: string };
}

export interface ValidateOptions {
  /** From a path of the request to one of the file system; throws where it may not be read. */
  resolvePath?: (path: string) => string;
  /** Whether a model may be a TorchScript program, which is code of its author; default true. */
  programs?: boolean;
}

/** `saes.2.layer` of zod as `saes[2].layer`. */
function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) =>
      typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`,
    )
    .join('');
}

function fromZod(error: z.ZodError): SaeEvalError {
  const fields = error.issues.flatMap((issue): FieldError[] => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({
        path: fieldPath([...issue.path, key]),
        message: 'is not a field of a request',
      }));
    return [{ path: fieldPath(issue.path), message: issue.message }];
  });
  const first = fields[0];
  return new SaeEvalError(
    'request-invalid',
    first === undefined
      ? 'The request is invalid.'
      : `${first.path || 'the request'}: ${first.message}`,
    { fields },
  );
}

/**
 * The request with the schema's defaults, or an error that names every field at fault. Reads no
 * file.
 */
export function parseRequest(input: unknown): ResolvedRequest {
  if (Array.isArray(input))
    throw new SaeEvalError('request-invalid', 'the request: expected an object, found a list');
  const parsed = requestSchema.safeParse(input, { error: requestProblem });
  if (!parsed.success) throw fromZod(parsed.error);
  return parsed.data;
}

class Problems {
  readonly fields: FieldError[] = [];
  #first: { code: ErrorCode; message: string } | null = null;

  add(code: ErrorCode, path: string, message: string): void {
    this.#first ??= { code, message: `${path}: ${message}` };
    this.fields.push({ path, message });
  }

  /** `fieldAt`: where a field lies that an error names itself. */
  async at<T>(
    path: string,
    body: () => Promise<T> | T,
    fieldAt?: (field: string) => string,
  ): Promise<T | null> {
    try {
      return await body();
    } catch (thrown) {
      const error = asSaeEvalError(thrown, path);
      const field = error.fields[0]?.path;
      this.add(
        error.code,
        field === undefined || fieldAt === undefined ? path : fieldAt(field),
        error.message,
      );
      return null;
    }
  }

  throwIfAny(): void {
    if (this.#first !== null)
      throw new SaeEvalError(this.#first.code, this.#first.message, { fields: this.fields });
  }
}

/** The number of active latents, where the kind has one and it is in range. */
function checkK(
  spec: SaeSpec,
  kind: SaeKind,
  sizes: SaeSizes,
  add: (field: string, message: string) => void,
): number | null {
  if (!kindLayout(kind).hasK) {
    if (spec.k !== undefined)
      add('k', `kind ${kind} has no k; leave it out, or use inferK for all SAEs of the run`);
    return null;
  }
  if (spec.k === undefined)
    add(
      'k',
      `kind ${kind} needs k, a whole number from 1 to ${sizes.m} (its latents); no ` +
        'checkpoint holds it',
    );
  else if (spec.k > sizes.m)
    add('k', `expected at most ${sizes.m}, the latents of ${spec.checkpoint}, found ${spec.k}`);
  else return spec.k;
  return null;
}

function checkLayers(
  spec: SaeSpec,
  kind: SaeKind,
  { sizes, L, seed }: { sizes: SaeSizes; L: number; seed: number },
  add: (field: string, message: string) => void,
): { layer: number | null; layers: number[] } {
  const range = routedRange(L);
  const { layer: rule } = kindLayout(kind);
  if (rule === 'routed') {
    if (spec.layer !== undefined)
      add(
        'layer',
        `kind ${kind} uses the routed layers ${range.first}…${range.last}; leave layer out`,
      );
    if (sizes.R !== null && sizes.R !== range.layers.length) {
      add(
        'checkpoint',
        `the file has ${sizes.R} routed layers, a model of ${L} blocks has ` +
          `${range.layers.length} (${range.first}…${range.last}): it was trained on another ` +
          'model',
      );
    }
    return { layer: null, layers: range.layers };
  }
  if (spec.layer === undefined) {
    if (rule === 'required') {
      add(
        'layer',
        `kind ${kind} needs layer, the block (1…${L}) after which it reads the residual ` +
          'stream; no checkpoint holds it',
      );
      return { layer: null, layers: [] };
    }
    const drawn = pythonRandint({ seed, low: range.first, high: range.last });
    return { layer: drawn, layers: [drawn] };
  }
  if (spec.layer > L) add('layer', `expected 1…${L}, the blocks of the model, found ${spec.layer}`);
  return { layer: spec.layer, layers: [spec.layer] };
}

/**
 * For where models may not be programs. @throws SaeEvalError `model-unsupported` for one that is,
 * by the name it goes by.
 */
export function refuseProgram({ script }: ModelConfig, name: string): void {
  if (script !== undefined)
    throw new SaeEvalError(
      'model-unsupported',
      `${name}: a TorchScript program, which a server runs only where ` +
        'SAE_EVAL_TORCHSCRIPT=1 says that it may.',
    );
}

/**
 * Checks a request and what it names.
 * @throws SaeEvalError whose `fields` name every field at fault; its code is the first one's.
 */
export async function validateRequest(
  input: EvaluationRequest | unknown,
  { resolvePath = (path) => path, programs = true }: ValidateOptions = {},
): Promise<ValidatedRequest> {
  const request = parseRequest(input);
  const problems = new Problems();

  const modelPath = await problems.at('model', () => resolvePath(request.model));
  const model =
    modelPath === null
      ? null
      : await problems.at('model', async () => {
          const config = await readModelConfig(modelPath);
          if (!programs) refuseProgram(config, request.model);
          return config;
        });
  const datasetPath = await problems.at('dataset.path', async () => {
    const path = resolvePath(request.dataset.path);
    await stat(path).catch((thrown: unknown) =>
      Promise.reject(asSaeEvalError(thrown, request.dataset.path)),
    );
    return path;
  });
  if (model !== null && request.dataset.seqLen > model.maxPositions) {
    problems.add(
      'request-invalid',
      'dataset.seqLen',
      `expected at most ${model.maxPositions}, the positions of the model, found ` +
        `${request.dataset.seqLen}`,
    );
  }

  const seen = new Set<string>();
  const found: (Omit<ResolvedSae, 'label'> & { spec: SaeSpec })[] = [];
  for (const [index, spec] of request.saes.entries()) {
    const at = `saes[${index}]`;
    const add = (
      field: string,
      message: string,
      code: ErrorCode = field === 'checkpoint' ? 'sae-width' : 'sae-option',
    ): void => problems.add(code, `${at}.${field}`, message);
    if (spec.label !== undefined && seen.has(spec.label))
      add('label', `'${spec.label}' is used twice; labels must differ`, 'request-invalid');
    if (spec.label !== undefined) seen.add(spec.label);
    const given = givenSettings(spec, request);
    const recognised = await problems.at(
      `${at}.checkpoint`,
      () => recognise(resolvePath(spec.checkpoint), given),
      (field) => `${at}.${field}`,
    );
    if (recognised === null) continue;
    if (recognised.published !== null) {
      const description =
        model === null ? recognised.published : centredFor(recognised.published, model, spec);
      const { checkpoint, d, m, activation } = description;
      const place =
        model === null
          ? null
          : placePublished(spec, description, { model, seed: request.seed, add });
      if (place === null) continue;
      const sizes = { d, m, R: description.form === 'crosscoder' ? description.sites : null };
      found.push({
        spec,
        checkpoint,
        sizes,
        k: activation.kind === 'topk' ? activation.k : null,
        ...place,
        routing: null,
        aggregation: null,
        published: description,
      });
      continue;
    }
    const { checkpoint } = recognised;
    for (const field of ['scale', 'centered'] as const)
      if (spec[field] !== undefined)
        add(field, 'is for published formats only; files of the RouteSAE family read pre(h)');
    const shapes = new Map([...checkpoint.entries].map(([name, entry]) => [name, entry.shape]));
    let resolved: { kind: SaeKind; sizes: SaeSizes };
    try {
      resolved = resolveKind(basename(spec.checkpoint), shapes, spec.kind);
    } catch (thrown) {
      const error = asSaeEvalError(thrown);
      add(error.code === 'sae-kind' ? 'kind' : 'checkpoint', error.message, error.code);
      continue;
    }
    const { kind, sizes } = resolved;
    if (!kindLayout(kind).hasRouting) {
      for (const field of ['routing', 'aggregation'] as const)
        if (spec[field] !== undefined) add(field, `is for RouteSAE only, this SAE is a ${kind}`);
    }
    const named = withNamedSettings(spec, kindLayout(kind));
    const addNamed = (field: string, message: string): void =>
      add(
        field,
        field in named.spec && !(field in spec)
          ? `${message} (the number is from the file's name)`
          : message,
      );
    const k = checkK(named.spec, kind, sizes, addNamed);
    if (model === null) continue;
    if (sizes.d !== model.width)
      add(
        'checkpoint',
        `expected an SAE of width ${model.width}, the model's residual stream, found ` +
          `${sizes.d}: it was trained on another model`,
      );
    const layers = checkLayers(
      named.spec,
      kind,
      { sizes, L: model.layers, seed: request.seed },
      addNamed,
    );
    const routed = kindLayout(kind).hasRouting;
    found.push({
      spec,
      kind,
      checkpoint,
      sizes,
      k,
      ...layers,
      site: null,
      published: null,
      notes: named.notes,
      routing: routed ? (spec.routing ?? 'hard') : null,
      aggregation: routed ? (spec.aggregation ?? 'sum') : null,
    });
  }
  problems.throwIfAny();

  const labels = labelsFor(found.map(({ spec, kind }) => ({ label: spec.label, kind })));
  const saes = found.map(({ spec: _, ...sae }, index): ResolvedSae => ({
    label: labels[index]!,
    ...sae,
  }));
  return {
    request: { ...request, saes: saes.map((sae, index) => filledSpec(request.saes[index]!, sae)) },
    model: model!,
    saes,
    paths: { model: model!.path, dataset: datasetPath! },
  };
}

function filledSpec(
  spec: SaeSpec,
  { kind, label, layer, k, routing, aggregation }: ResolvedSae,
): SaeSpec {
  return {
    ...spec,
    kind,
    label,
    // Layer 0, which RandomK may draw on a model of fewer than 4 blocks, is none that a request can
    // name.
    ...(layer === null || layer === 0 ? {} : { layer }),
    ...(k === null ? {} : { k }),
    ...(routing === null ? {} : { routing }),
    ...(aggregation === null ? {} : { aggregation }),
  };
}
