/**
 * Checks a request against the headers of the files it names, before anything is loaded, and fills
 * in what the files and the defaults decide. No tensor is read.
 */
import type { Bilingual } from '../../bilingual.js';
import { asSaeEvalError, SaeEvalError, type ErrorCode } from '../../errors.js';
import { factsOf } from '../../files/index.js';
import { missingPath } from '../../missing-path.js';
import { checkField } from '../../data/index.js';
import { readChatTemplate } from '../../lm/chat-template.js';
import { readModelConfig, type ModelConfig } from '../../lm/config.js';
import { kOf, type SaeDescription } from '../../sae/description.js';
import { recognize } from '../../sae/formats/recognize.js';
import { GivenSettings } from '../../sae/given.js';
import { located } from '../../hub-cache.js';
import type { EvaluationRequest, ResolvedRequest, ResolvedSaeSpec } from '../../schema/index.js';
import { centerFor } from './centering.js';
import { Expansion } from './checkpoints/expand.js';
import { findCheckpoints } from './checkpoints/find.js';
import { splitPattern } from './checkpoints/pattern.js';
import { chooseExclusion, unknownToken, type ChosenExclusion } from './exclusion.js';
import { labelsFor } from './labels.js';
import { parseRequest } from './parse.js';
import { placedByPath } from './path-hook.js';
import type { ResolvePath } from './path-table.js';
import { probePaths } from './probe-paths.js';
import { placeSae, type PlacedSae } from './place.js';
import { choosePrependBos } from './prepend-bos.js';
import { choosePrefixes } from './prefixes.js';
import { Problems } from './problems.js';

/** An SAE of a request with everything decided. */
export interface ResolvedSae extends PlacedSae {
  label: string;
  description: SaeDescription;
  /** Positions that do not count, and who says so. */
  excluding: Pick<ChosenExclusion, 'exclusion' | 'from'>;
  /** Numbers of first latents to which a sweep restricts it; null without such a sweep. */
  prefixes: readonly number[] | null;
  /** Why that sweep has not all prefixes of the request. */
  prefixNotes: readonly Bilingual[];
}

export interface ValidatedRequest {
  /** With every default filled in: labels, kinds, RandomK's drawn layer, RouteSAE's routing. */
  request: ResolvedRequest;
  model: ModelConfig;
  saes: ResolvedSae[];
  /** Whether samples begin with BOS, by the request or the files; else as the tokenizer does. */
  prependBos: boolean | undefined;
  /** Paths as the file system knows them. */
  paths: { model: string; dataset: string; probes: readonly string[] };
}

export interface ValidateOptions {
  resolvePath?: ResolvePath;
  /** Whether the model may be a TorchScript program, which is code of its author; default false. */
  allowProgram?: boolean;
}

/** Whether nothing is at a path. @throws SaeEvalError if that cannot be told; it has the name. */
function isMissing(path: string, name: string): boolean {
  try {
    return factsOf(path) === null;
  } catch (thrown) {
    throw asSaeEvalError(thrown, name);
  }
}

/** @throws SaeEvalError `tokenizer-invalid` if the model has no chat template. */
function checkChatTemplate({ path }: ModelConfig): void {
  if (readChatTemplate(path) === null)
    throw new SaeEvalError(
      'tokenizer-invalid',
      'messages need a chat template, and the model has none: expected chat_template.jinja, or ' +
        'chat_template in tokenizer_config.json, as chat models have it',
    );
}

/** Settings that a request gives beside a file: an override counts if it is the only setting. */
function givenSettings(
  { checkpoint: _, label: __, prefix: ___, ...fields }: ResolvedSaeSpec,
  { inferK, theta }: ResolvedRequest,
): GivenSettings {
  return new GivenSettings({
    ...fields,
    theta: typeof theta === 'number' ? theta : undefined,
    inferK: typeof inferK === 'number' ? inferK : undefined,
  });
}

/** Settings that are given and that an SAE of this description has no use for. */
function* unused(spec: ResolvedSaeSpec, { kind, form, activation }: SaeDescription) {
  if (spec.k !== undefined && activation.kind !== 'topk')
    yield [
      'k',
      `kind ${kind} has no k; leave it out, or use inferK for all SAEs of the run`,
    ] as const;
  for (const field of ['routing', 'aggregation'] as const)
    if (spec[field] !== undefined && form !== 'routed')
      yield [field, `is for RouteSAE only, this SAE is a ${kind}`] as const;
  if (spec.centered !== undefined && form === 'crosscoder')
    yield ['centered', 'is not for crosscoders; leave it out'] as const;
}

/**
 * Checks a request and the files it names.
 * @throws SaeEvalError whose `fields` name every field at fault; its code is the first one's.
 */
export async function validateRequest(
  input: EvaluationRequest | unknown,
  { resolvePath = located, allowProgram = false }: ValidateOptions = {},
): Promise<ValidatedRequest> {
  const expansion = await Expansion.of(parseRequest(input), (checkpoints) =>
    findCheckpoints(checkpoints, resolvePath(splitPattern(checkpoints).base, 'SAE')),
  );
  return expansion.telling(() =>
    validateExpanded(expansion.request, { resolvePath, allowProgram }),
  );
}

async function validateExpanded(
  request: ResolvedRequest,
  { resolvePath, allowProgram }: Required<ValidateOptions>,
): Promise<ValidatedRequest> {
  const problems = new Problems();
  const model = await problems.at('model', () =>
    readModelConfig(resolvePath(request.model, 'model'), { allowProgram, name: request.model }),
  );
  const dataset = await problems.at('dataset.path', async () => {
    const path = resolvePath(request.dataset.path, 'dataset');
    if (isMissing(path, request.dataset.path))
      throw missingPath(request.dataset.path, { hub: 'dataset' });
    return path;
  });
  if (dataset !== null)
    await problems.at(
      'dataset.path',
      () => checkField(dataset, request.dataset),
      (field) => `dataset.${field}`,
    );
  const probes = await probePaths(request, { model, resolvePath, problems });
  const { seqLen, messagesField } = request.dataset;
  if (model !== null && messagesField !== undefined)
    await problems.at('dataset.messagesField', () => checkChatTemplate(model));
  if (model !== null && seqLen > model.maxPositions)
    problems.add(
      'request-invalid',
      'dataset.seqLen',
      `expected at most ${model.maxPositions}, the positions of the model, found ${seqLen}`,
    );
  const unknown = model === null ? null : unknownToken(request.exclude, model.vocabulary);
  if (unknown !== null) problems.add('request-invalid', 'exclude', unknown);

  const labels = new Set<string>();
  const found: {
    spec: ResolvedSaeSpec;
    sae: Omit<ResolvedSae, 'label' | 'prefixes' | 'prefixNotes'>;
  }[] = [];
  for (const [index, spec] of request.saes.entries()) {
    const at = (field: string): string => `saes[${index}].${field}`;
    const add = (field: string, message: string, code?: ErrorCode): void =>
      problems.add(
        code ?? (field === 'checkpoint' ? 'sae-width' : 'sae-option'),
        at(field),
        message,
      );
    if (spec.label !== undefined && labels.has(spec.label))
      add('label', `'${spec.label}' is used twice; labels must differ`, 'request-invalid');
    if (spec.label !== undefined) labels.add(spec.label);
    const given = givenSettings(spec, request);
    const described = await problems.at(
      at('checkpoint'),
      async () =>
        placedByPath(
          (await recognize(resolvePath(spec.checkpoint, 'SAE'), spec.prefix)).describe(given),
        ),
      at,
    );
    for (const { path, message } of given.faults) add(path, message);
    if (described === null) continue;
    for (const [field, why] of unused(spec, described)) add(field, why);
    if (model === null) continue;
    const unknownHere = unknownToken(spec.exclude, model.vocabulary);
    if (unknownHere !== null) add('exclude', unknownHere, 'request-invalid');
    const place = placeSae(spec, described, { model, seed: request.seed, add });
    if (place === null) continue;
    const { description, notes } = centerFor(model, described, { spec, site: place.site });
    const excluding = chooseExclusion(spec.exclude ?? request.exclude, description.exclusion);
    const all = [...notes, ...place.notes, ...excluding.notes];
    found.push({ spec, sae: { ...place, description, excluding, notes: all } });
  }
  const described = found.map(({ spec, sae: { description } }, index) => ({
    label: spec.label ?? `saes[${index}]`,
    description,
  }));
  const prependBos = choosePrependBos(request, described, problems);
  // Without some of the SAEs it cannot be said which of them have groups.
  const chosen =
    found.length < request.saes.length ? [] : choosePrefixes(request, described, problems);
  problems.throwIfAny();

  const names = labelsFor(
    found.map(({ spec, sae }) => ({ label: spec.label, kind: sae.description.kind })),
  );
  const saes = found.map(({ sae }, index): ResolvedSae => {
    const { prefixes, notes } = chosen[index]!;
    return { label: names[index]!, ...sae, prefixes, prefixNotes: notes };
  });
  return {
    request: { ...request, saes: saes.map((sae, index) => filledSpec(found[index]!.spec, sae)) },
    model: model!,
    saes,
    prependBos,
    paths: { model: model!.path, dataset: dataset!, probes },
  };
}

/** The SAE of the request with everything that was decided. */
function filledSpec(
  spec: ResolvedSaeSpec,
  { label, layer, description }: ResolvedSae,
): ResolvedSaeSpec {
  const k = kOf(description);
  return {
    ...spec,
    kind: description.kind,
    label,
    // RandomK may draw layer 0 on a model of fewer than 4 blocks, which no request can name.
    ...(layer === null || layer === 0 || spec.hook !== undefined ? {} : { layer }),
    ...(k === null ? {} : { k }),
    ...(description.form === 'routed'
      ? { routing: description.routing, aggregation: description.aggregation }
      : {}),
  };
}
