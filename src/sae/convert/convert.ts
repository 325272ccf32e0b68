/**
 * From one format to another, with the same latents and reconstructions, or a refusal that says
 * what the format cannot hold.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { recognise, type GivenSettings, type SaeDescription } from '../formats/recognise.js';
import { describeRouteSae, settingsPath } from '../formats/routesae.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { openTensors } from '../../checkpoint/tensors.js';
import { writePt } from '../../checkpoint/write-pt.js';
import { writeSafetensors } from '../../checkpoint/write-safetensors.js';
import { SaeEvalError } from '../../errors.js';
import type { SaeKind } from '../../schema/request.js';
import { scope } from '../../torch/index.js';
import { inferKinds, resolveKind } from '../layout.js';
import { plainSAE } from './plain.js';
import type { Conversion } from './target.js';
import { toRouteSae } from './to-routesae.js';
import { toSaelens } from './to-saelens.js';

export const conversionTargets = ['saelens', 'routesae'] as const;
export type ConversionTarget = (typeof conversionTargets)[number];

export interface ConvertOptions extends GivenSettings {
  to: ConversionTarget;
  /** Of a bare state dict that could be several. */
  kind?: SaeKind;
  /**
   * From the file's own name of its hook point to the one that is written; null where there is
   * none.
   */
  hookName?: (named: string | null) => string | null;
}

export interface Converted {
  /** The files written. */
  paths: string[];
  notes: string[];
}

const shapesOf = ({ entries }: Checkpoint): Map<string, number[]> =>
  new Map([...entries].map(([name, { shape }]) => [name, shape]));

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
    await writeFile(settingsPath(out), `${JSON.stringify(config, null, 2)}\n`);
    return [out, settingsPath(out)];
  }
  const [weights, configuration] = [join(out, 'sae_weights.safetensors'), join(out, 'cfg.json')];
  await mkdir(out, { recursive: true });
  await writeSafetensors(weights, tensors);
  await writeFile(configuration, `${JSON.stringify(config, null, 2)}\n`);
  return [weights, configuration];
}

/**
 * Reads an SAE in any format and writes it in another: `saelens` a folder, `routesae` a `.pt` file,
 * in float32.
 * @throws SaeEvalError `conversion-refused` where the format cannot hold it; what reading throws;
 *   `request-invalid` where `out` is there already.
 */
export async function convertCheckpoint(
  path: string,
  out: string,
  { to, kind: wanted, hookName = (named) => named, ...given }: ConvertOptions,
): Promise<Converted> {
  const settings = to === 'routesae' ? settingsPath(out) : out;
  if (existsSync(settings))
    throw new SaeEvalError(
      'request-invalid',
      `${settings}: is there already; nothing is written over.`,
    );
  if (existsSync(out))
    throw new SaeEvalError('request-invalid', `${out}: is there already; nothing is written over.`);
  const found = await recognise(path, given);
  let description: SaeDescription;
  if (found.published === null) {
    const shapes = shapesOf(found.checkpoint);
    if (given.scale !== undefined)
      throw new SaeEvalError(
        'sae-option',
        `${path}: files of the RouteSAE family read pre(h); leave scale out.`,
      );
    const candidates = wanted === undefined ? inferKinds(shapes).candidates : [];
    if (to === 'routesae' && candidates.length > 0)
      return rewriteBare(found.checkpoint, out, candidates);
    const { kind } = resolveKind(basename(path), shapes, wanted);
    if (to === 'routesae') return rewriteBare(found.checkpoint, out, [kind]);
    if (kind === 'RouteSAE' || kind === 'Crosscoder' || kind === 'MLSAE')
      refuse(
        path,
        to,
        `a ${kind} reads several layers, an SAE of SAELens one hook ` +
          'point' +
          (kind === 'MLSAE' ? '; as an SAE on one layer it is a TopK (--kind TopK)' : ''),
      );
    description = describeRouteSae(found.checkpoint, kind, given);
  } else if (found.published.form === 'crosscoder') {
    refuse(
      path,
      to,
      to === 'saelens'
        ? 'SAELens has no crosscoders'
        : 'its sites have decoder biases and inputs of their own scale; Crosscoders of the ' +
            'RouteSAE family have neither',
    );
  } else description = found.published;

  if (description.obstacle !== undefined) refuse(path, to, `it is ${description.obstacle}`);
  if (description.glu !== null)
    refuse(
      path,
      to,
      'its encoder is multiplied by a gate of its own (W_E_glu), which no other format has',
    );
  const { notes, config, tensors } = scope(() => {
    const plain = plainSAE(description);
    const { tensors: made, ...rest } =
      to === 'saelens'
        ? toSaelens(plain, { hookName: hookName(description.hookPoint) })
        : toRouteSae(plain, { hookName: hookName(description.hookPoint) });
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
  kinds: readonly SaeKind[],
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
