/**
 * From one format to another, with the same latents and reconstructions, or a refusal that says
 * what the format cannot hold.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Checkpoint } from '../../checkpoint/read.js';
import { openTensors } from '../../checkpoint/tensors.js';
import { writePt } from '../../checkpoint/write-pt.js';
import { writeSafetensors } from '../../checkpoint/write-safetensors.js';
import { SaeEvalError } from '../../errors.js';
import { scope } from '../../torch/index.js';
import {
  hookPointsOf,
  hookPointsOutOf,
  type DictionaryDescription,
  type SaeDescription,
  type TemporalDescription,
} from '../description.js';
import { recognize } from '../formats/recognize.js';
import { settingsPath, settingsText, type RouteSaeSettings } from '../formats/routesae.js';
import { GivenSettings, type GivenFields } from '../given.js';
import { headOf, plainSAE } from './plain.js';
import type { Conversion } from './target.js';
import { temporalToSaelens } from './temporal-to-saelens.js';
import { toRouteSae } from './to-routesae.js';
import { toSaelens } from './to-saelens.js';
import {
  transcoderActivations,
  transcoderToSaelens,
  type TranscoderDescription,
} from './transcoder-to-saelens.js';

export const conversionTargets = ['saelens', 'routesae'] as const;
export type ConversionTarget = (typeof conversionTargets)[number];

export interface ConvertOptions extends GivenFields {
  to: ConversionTarget;
  /** From the file's name of its hook point, or null, to the name that is written. */
  hookName?: (named: string | null) => string | null;
}

export interface Converted {
  /** The files written. */
  paths: string[];
  notes: string[];
}

function refuse(path: string, to: ConversionTarget, why: string): never {
  throw new SaeEvalError('conversion-refused', `${path} cannot be written as ${to}: ${why}.`);
}

async function write(
  out: string,
  to: ConversionTarget,
  { tensors, config }: Pick<Conversion, 'tensors' | 'config'>,
): Promise<string[]> {
  if (to === 'routesae') {
    await mkdir(dirname(out), { recursive: true });
    await writePt(out, tensors);
    if (config === null) return [out];
    await writeFile(settingsPath(out), settingsText(config as RouteSaeSettings));
    return [out, settingsPath(out)];
  }
  const [weights, configuration] = [join(out, 'sae_weights.safetensors'), join(out, 'cfg.json')];
  await mkdir(out, { recursive: true });
  await writeSafetensors(weights, tensors);
  await writeFile(configuration, `${JSON.stringify(config, null, 2)}\n`);
  return [weights, configuration];
}

/** The SAE as one that both targets can hold, or a refusal. */
function convertible(
  path: string,
  to: ConversionTarget,
  sae: SaeDescription,
): DictionaryDescription | TemporalDescription | TranscoderDescription {
  if (sae.obstacle !== undefined) refuse(path, to, `it is ${sae.obstacle}`);
  if (sae.format === 'routesae' && sae.place.over === 'routed range')
    refuse(
      path,
      to,
      `a ${sae.kind} reads several layers, an SAE of SAELens one hook point` +
        (sae.kind === 'MLSAE' ? '; as an SAE on one layer it is a TopK (--kind TopK)' : ''),
    );
  if (to === 'routesae' && headOf(sae) !== null)
    refuse(path, to, 'the family has no SAEs on one head of attention');
  if (sae.form === 'temporal') {
    if (to === 'routesae') refuse(path, to, 'the family has no Temporal SAEs');
    return sae;
  }
  if (sae.form === 'transcoder') {
    if (to === 'routesae') refuse(path, to, 'the family has no transcoders');
    const { kind } = sae.activation;
    if (!transcoderActivations.includes(kind as 'relu') || sae.subtractDecoderBias)
      refuse(
        path,
        to,
        sae.subtractDecoderBias
          ? "SAELens' transcoders subtract nothing from their input"
          : `SAELens has transcoders with relu and jumprelu, not with ${kind}`,
      );
    return sae;
  }
  if (sae.form !== 'dictionary')
    refuse(
      path,
      to,
      to === 'saelens'
        ? 'SAELens has no SAEs of several layers'
        : 'its sites have decoder biases and inputs of their own scale; Crosscoders of the ' +
            'RouteSAE family have neither',
    );
  if (sae.activation.kind === 'own')
    refuse(path, to, `no format has its activation, ${sae.activation.name}`);
  if (sae.activation.kind === 'matching-pursuit') {
    if (to === 'routesae') refuse(path, to, 'the RouteSAE family has no matching pursuit');
    if (sae.normalization.kind === 'scale')
      refuse(
        path,
        to,
        'its encoder is its decoder, and the factor of its input cannot be multiplied into both',
      );
  }
  if (sae.glu !== null)
    refuse(
      path,
      to,
      'its encoder is multiplied by a gate of its own (W_E_glu), which no other format has',
    );
  return sae;
}

/** To be called in a scope. */
function converted(
  sae: DictionaryDescription | TemporalDescription | TranscoderDescription,
  {
    to,
    named,
  }: { to: ConversionTarget; named: { hookName: string | null; hookNameOut: string | null } },
): Conversion {
  if (sae.form === 'transcoder') return transcoderToSaelens(sae, named);
  if (sae.form === 'temporal') return temporalToSaelens(sae, named);
  const plain = plainSAE(sae);
  return to === 'saelens' ? toSaelens(plain, named) : toRouteSae(plain, named);
}

/**
 * Reads an SAE in any format and writes it in another: `saelens` a folder, `routesae` a `.pt` file,
 * in float32.
 * @throws SaeEvalError `conversion-refused` if the format cannot hold it; the errors of reading;
 *   `request-invalid` if `out` exists.
 */
export async function convertCheckpoint(
  path: string,
  out: string,
  { to, hookName = (named) => named, ...fields }: ConvertOptions,
): Promise<Converted> {
  for (const taken of [to === 'routesae' ? settingsPath(out) : out, out])
    if (existsSync(taken))
      throw new SaeEvalError(
        'request-invalid',
        `${taken}: is there already; nothing is written over.`,
      );
  const file = await recognize(path);
  const given = new GivenSettings(fields);
  const candidates = file.candidates();
  // A bare state dict is written as it stands, whatever it is used as.
  const isBare = file.format.name === 'routesae' && file.configPath === null;
  if (to === 'routesae' && isBare && candidates.length > 0) {
    if (fields.scale !== undefined) file.describe(given); // says why not
    given.throwIfAny(path);
    const wanted = fields.kind === undefined ? candidates : [file.describe(given).kind];
    return rewriteBare(file.checkpoint, out, wanted);
  }
  const description = convertible(path, to, file.describe(given));
  given.throwIfAny(path);
  const { notes, config, tensors } = scope(() => {
    const named = {
      hookName: hookName(hookPointsOf(description)[0] ?? null),
      hookNameOut: hookName(hookPointsOutOf(description)[0] ?? null),
    };
    const { tensors: made, ...rest } = converted(description, { to, named });
    return {
      ...rest,
      tensors: new Map(
        [...made].map(([name, tensor]) => [name, tensor.to({ dtype: 'float32' }).contiguous()]),
      ),
    };
  });
  try {
    return { paths: await write(out, to, { tensors, config }), notes };
  } finally {
    for (const tensor of tensors.values()) tensor.dispose();
  }
}

/** The same state dict as a file of its own: without what lay around it, and in float32. */
async function rewriteBare(
  checkpoint: Checkpoint,
  out: string,
  kinds: readonly string[],
): Promise<Converted> {
  const tensors = openTensors(checkpoint, { dtype: 'float32' });
  try {
    return {
      paths: await write(out, 'routesae', { tensors, config: null }),
      notes: [`kind, layer and k are not in the file: give kind ${kinds.join(' or ')} with it`],
    };
  } finally {
    for (const tensor of tensors.values()) tensor.dispose();
  }
}
