/**
 * The RouteSAE family (github.com/swei2001/RouteSAEs and its reproduction): bare state dicts, whose
 * tensors tell some kinds and not others. The scripts keep layer and k in a file's name alone
 * (`TopK_L12_K64.pt`). `sae-eval convert` writes a `.json` beside such a file with what a bare
 * state dict cannot say.
 */
import { basename } from 'node:path';
import { z } from 'zod';
import type { Bilingual } from '../../bilingual.js';
import { readConfig } from '../../checkpoint/json-file.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { SaeEvalError, type ErrorCode } from '../../errors.js';
import type { Place } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { FamilyForm, Kind, SaeSizes, Shapes } from '../kinds/kind.js';
import { kindNamed, kinds, type SaeKind } from '../kinds/kinds.js';
import { settingsInName } from './file-name.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { keptSlice } from './positions.js';
import { Tensors } from './tensors.js';
import { meaningfulTensor, unusedNote } from './unused-tensors.js';
import { all, type Vocabulary } from './vocabulary.js';

const settingsFormat = 'sae-eval-settings';

const settingsSchema = z.object({
  format: z.literal(settingsFormat),
  kind: z.enum(['Vanilla', 'TopK', 'Gated', 'JumpReLU']),
  hookName: z.string().nullable(),
  centred: z.boolean(),
  normalization: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('none') }),
    z.object({ kind: z.literal('token-norm') }),
    z.object({ kind: z.literal('layer-norm'), epsilon: z.number().positive().max(1) }),
    z.object({ kind: z.literal('scale'), factor: z.number().positive() }),
  ]),
  k: z.int().positive().optional(),
  keepsNegative: z.boolean().optional(),
  byDecoderNorms: z.boolean().optional(),
  byMagnitude: z.boolean().optional(),
  exclusion: z
    .object({
      specials: z.boolean(),
      ids: z.array(z.int().nonnegative()).readonly(),
      kept: keptSlice.unwrap().unwrap().readonly().nullable(),
    })
    .optional(),
  prependBos: z.boolean().optional(),
});

const vocabulary: Vocabulary = {
  keys: all('honored', ...Object.keys(settingsSchema.shape)),
  // Which tensors a file may have beside its own depends on the kind; describing it looks at them.
  tensors: { '*': 'harmless' },
};

/** Settings beside a file of the family that came from another format. */
export type RouteSaeSettings = Omit<z.input<typeof settingsSchema>, 'format'>;

export const settingsPath = (path: string): string => `${path}.json`;

export const settingsText = (settings: RouteSaeSettings): string =>
  `${JSON.stringify({ format: settingsFormat, ...settings }, null, 2)}\n`;

/** Whether the `.json` beside a file is ours: other tools keep files of that name too. */
function hasSettings(path: string): boolean {
  try {
    readConfig(settingsPath(path), z.looseObject({ format: z.literal(settingsFormat) }));
    return true;
  } catch {
    return false;
  }
}

const shapesOf = ({ entries }: Checkpoint): Shapes =>
  new Map([...entries].map(([name, { shape }]) => [name, shape]));

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;
const quoted = (names: readonly string[], most: number): string =>
  names
    .slice(0, most)
    .map((name) => `'${name}'`)
    .concat(names.length > most ? ['…'] : [])
    .join(', ');

function sizesFor(kind: Kind, shapes: Shapes): SaeSizes | null {
  const shape = shapes.get(kind.sizesFrom);
  if (shape?.length !== 2) return null;
  return { m: shape[0]!, d: shape[1]!, R: kind.routedLayers?.(shapes) ?? null };
}

/** The first thing that keeps a file from being of this kind, or null. */
function mismatch(kind: Kind, shapes: Shapes): { code: ErrorCode; message: string } | null {
  const { kind: name, sizesFrom } = kind;
  const found = quoted([...shapes.keys()], 12);
  const wrongShape = (message: string) => ({ code: 'checkpoint-shape' as const, message });
  const wrongKeys = (message: string) => ({ code: 'checkpoint-keys' as const, message });
  const sizes = sizesFor(kind, shapes);
  if (sizes === null) {
    const shape = shapes.get(sizesFrom);
    return shape === undefined
      ? wrongKeys(
          `expected a tensor '${sizesFrom}' [m, d] for kind ${name}, found ` +
            `${found || 'no tensors'}`,
        )
      : wrongShape(`expected '${sizesFrom}' of shape [m, d], found ${shapeText(shape)}`);
  }
  const expected = kind.tensors(sizes);
  for (const [tensor, shape] of Object.entries(expected)) {
    const actual = shapes.get(tensor);
    if (actual === undefined)
      return wrongKeys(
        `expected a tensor '${tensor}' ${shapeText(shape)} for kind ${name}, found ${found}`,
      );
    if (shapeText(actual) !== shapeText(shape))
      return wrongShape(
        `expected '${tensor}' of shape ${shapeText(shape)} (by '${sizesFrom}' [m, d] = ` +
          `${shapeText([sizes.m, sizes.d])}), found ${shapeText(actual)}`,
      );
  }
  const extra = [...shapes.keys()].find(
    (tensor) => !(tensor in expected) && belongsElsewhere(tensor, sizes),
  );
  if (extra === undefined) return null;
  return wrongKeys(
    `tensor '${extra}' does not belong to kind ${name}, which has ` +
      `${quoted(Object.keys(expected), 8)}`,
  );
}

/** Whether some kind computes with a tensor of that name. An SAE below `sae.` stands by itself. */
const belongsElsewhere = (tensor: string, sizes: SaeSizes): boolean =>
  !tensor.startsWith('sae.') &&
  kinds.some((kind) => tensor in kind.tensors({ ...sizes, R: sizes.R ?? 1 }));

/** The kinds that a file with these tensors can be. */
export function inferKinds(shapes: Shapes): SaeKind[] {
  return kinds.filter((kind) => mismatch(kind, shapes) === null).map(({ kind }) => kind);
}

/** The kind whose tensors a file resembles most, by the tensors that only this kind has. */
function nearestKind(shapes: Shapes): Kind & { kind: SaeKind } {
  const own: [SaeKind, string][] = [
    ['RouteSAE', 'router.weight'],
    ['Crosscoder', 'encoder.0.weight'],
    ['JumpReLU', 'threshold'],
    ['Gated', 'gate_bias'],
  ];
  return kindNamed(own.find(([, tensor]) => shapes.has(tensor))?.[0] ?? 'TopK');
}

/**
 * The kind of a file and its sizes.
 * @throws SaeEvalError `sae-kind` if several kinds are possible and none is given;
 *   `checkpoint-keys`
 *   or `checkpoint-shape`, with the tensor, the expected and the found shape, if none fits.
 */
export function resolveKind(
  file: string,
  shapes: Shapes,
  wanted?: SaeKind,
): { kind: Kind & { kind: SaeKind }; sizes: SaeSizes } {
  const candidates = inferKinds(shapes);
  if (wanted !== undefined && !candidates.includes(wanted)) {
    const { code, message } = mismatch(kindNamed(wanted), shapes)!;
    const hint = candidates.length > 0 ? ` The file can be: ${candidates.join(', ')}.` : '';
    throw new SaeEvalError(code, `${file}: ${message}.${hint}`);
  }
  if (candidates.length === 0) {
    const nearest = nearestKind(shapes);
    const { code, message } = mismatch(nearest, shapes)!;
    throw new SaeEvalError(
      code,
      `${file}: its tensors fit none of the kinds ${kinds.map(({ kind }) => kind).join(', ')}; ` +
        `nearest is ${nearest.kind}: ${message}.`,
    );
  }
  if (wanted === undefined && candidates.length > 1) {
    const message = `${file}: this file could be ${candidates.join(' or ')}; set \`kind\`.`;
    throw new SaeEvalError('sae-kind', message, { fields: [{ path: 'kind', message }] });
  }
  const kind = kindNamed(wanted ?? candidates[0]!);
  return { kind, sizes: sizesFor(kind, shapes)! };
}

/** Names of the tensors of all kinds, for one layer. */
const familyNames = new Set(
  kinds.flatMap((kind) => Object.keys(kind.tensors({ d: 1, m: 1, R: 1 }))),
);

/** The kind and sizes of a state dict whose tensors can be read and say all that it computes. */
function kindOf(checkpoint: Checkpoint, wanted?: SaeKind): ReturnType<typeof resolveKind> {
  const file = basename(checkpoint.path);
  const shapes = shapesOf(checkpoint);
  const tensors = new Tensors(checkpoint);
  for (const [name, { isTensor }] of checkpoint.opaque)
    if (isTensor && familyNames.has(name)) tensors.shape(name); // says what it is
  const found = resolveKind(file, shapes, wanted);
  const expected = Object.keys(found.kind.tensors(found.sizes));
  for (const name of expected) tensors.shape(name); // in a dtype of weights
  const extra = meaningfulTensor(checkpoint, new Set(expected));
  if (extra !== null)
    throw new SaeEvalError(
      'checkpoint-keys',
      `${file}: tensor '${extra}' would change what the SAE computes and does not belong to kind ` +
        `${found.kind.kind}, which has ${quoted(expected, 8)}.`,
    );
  return found;
}

/** Remark on the settings that were taken from the file's name. */
function nameNote(file: string, taken: readonly string[]): Bilingual[] {
  if (taken.length === 0) return [];
  return [
    {
      en: `From the file's name, ${file}: ${taken.join(', ')}.`,
      zh: `取自文件名 ${file}：${taken.join('，')}。`,
    },
  ];
}

function describeBare({ checkpoint }: FormatFile, given: GivenSettings): FormatDescription {
  const { path } = checkpoint;
  const file = basename(path);
  const { kind, sizes } = kindOf(checkpoint, given.fields.kind);
  const { layer, k: saved } = settingsInName(path);
  if ((given.fields.normalization ?? 'pre') === 'pre')
    for (const field of ['scale', 'centered'] as const)
      given.refuse(
        field,
        'is for published formats only; files of the RouteSAE family read pre(h)',
      );
  const k = kind.hasK ? given.k({ saved, m: sizes.m, where: "the file's name" }) : 0;
  const takesLayer = kind.layer === 'required' && layer !== undefined;
  // As everywhere, layer i is the residual stream after block i of 1…L.
  const named = layer === undefined ? null : `blocks.${layer - 1}.hook_resid_post`;
  const places: Record<Kind['layer'], Place> = {
    required: { over: 'hook point', named, from: 'name' },
    drawn: { over: 'drawn layer', named },
    routed: { over: 'routed range', layers: sizes.R },
  };
  const { aggregation, routing, layer: givenLayer, hook, k: givenK } = given.fields;
  const isPlaced = givenLayer !== undefined || hook !== undefined;
  const form = withInput(kind.form(sizes, { k, aggregation, routing }), given);
  return {
    ...form,
    kinds: [kind.kind],
    place: places[kind.layer],
    notes: [
      ...nameNote(file, [
        ...(takesLayer && !isPlaced ? [`layer ${layer}`] : []),
        ...(kind.hasK && saved !== undefined && givenK === undefined ? [`k ${saved}`] : []),
      ]),
      ...unusedNote(checkpoint, form),
    ],
  };
}

/**
 * The form with the input that the request says. The family reads `pre(h)` and subtracts its
 * pre-bias; a bare state dict cannot say that it is another's.
 */
function withInput(form: FamilyForm, given: GivenSettings): FamilyForm {
  const normalization = given.normalization({ kind: 'pre' });
  if (form.form === 'crosscoder')
    return { ...form, normalizations: form.normalizations.map(() => normalization) };
  return {
    ...form,
    normalization,
    centered: given.fields.centered ?? form.centered,
    subtractDecoderBias: given.preBias(form.subtractDecoderBias),
  };
}

/** A file of the family with its settings beside it. */
function describeWithSettings(file: FormatFile, given: GivenSettings): FormatDescription {
  const { checkpoint, configPath } = file;
  const settings = readConfig(configPath!, settingsSchema);
  const { kind: name, hookName, normalization, keepsNegative = true, byMagnitude } = settings;
  const { exclusion, prependBos } = settings;
  const { kind, sizes } = kindOf(checkpoint, name);
  given.refuse('scale', 'its input is said beside the file');
  const k = kind.hasK
    ? given.k({ saved: settings.k, m: sizes.m, where: 'the .json beside the file' })
    : 0;
  const form = kind.form(sizes, { k });
  if (form.form !== 'dictionary') throw new Error(`${kind.kind} has no settings`);
  return {
    ...form,
    activation:
      form.activation.kind === 'topk'
        ? { kind: 'topk', k, signed: keepsNegative, ...(byMagnitude ? { byMagnitude } : {}) }
        : form.activation,
    normalization,
    centered: given.centered(settings.centred, 'the .json beside the file'),
    decoderNorm: settings.byDecoderNorms === true ? 'selection' : 'none',
    place: { over: 'hook point', named: hookName, from: 'config' },
    ...(exclusion === undefined ? {} : { exclusion }),
    ...(prependBos === undefined ? {} : { prependBos }),
    notes: unusedNote(checkpoint, form),
  };
}

/** Kinds that a bare state dict can be; none if its tensors cannot be read or say more. */
function bareKinds(checkpoint: Checkpoint): SaeKind[] {
  const possible = inferKinds(shapesOf(checkpoint));
  try {
    if (possible[0] !== undefined) kindOf(checkpoint, possible[0]);
    return possible;
  } catch (error) {
    if (error instanceof SaeEvalError) return [];
    throw error;
  }
}

export const routeSae: Format = {
  name: 'routesae',
  vocabulary,
  file: (checkpoint) => ({
    checkpoint,
    configPath: hasSettings(checkpoint.path) ? settingsPath(checkpoint.path) : null,
  }),
  candidates: ({ checkpoint, configPath }) =>
    configPath === null ? bareKinds(checkpoint) : [readConfig(configPath, settingsSchema).kind],
  describe: (file, given) =>
    file.configPath === null ? describeBare(file, given) : describeWithSettings(file, given),
};
