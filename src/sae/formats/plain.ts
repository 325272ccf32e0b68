/**
 * Plain SAEs: a bare state dict of two matrices and biases under the names that PyTorch modules
 * have (`encoder.weight`, `encoder.bias`, `decoder.weight`, `decoder.bias`; `encoder_linear`, …) or
 * those of TransformerLens and SAELens (`W_enc`, `b_enc`, `W_dec`, `b_dec`).
 *
 *   a = W_e x + b_e;   z = relu(a), its k largest, or JumpReLU's or Gated's;   x̂ = W_d z + b_d
 *
 * Such a file cannot say how its input was made nor whether b_d is subtracted first. The request
 * does; else raw activations are assumed, and of b_d what the libraries with these names do. A note
 * says so.
 */
import { basename } from 'node:path';
import type { Bilingual } from '../../bilingual.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { readScalar } from '../../checkpoint/scalar.js';
import { SaeEvalError } from '../../errors.js';
import type { SaeKind } from '../../schema/index.js';
import type { Activation, DictionaryForm } from '../description.js';
import type { GivenSettings } from '../given.js';
import { blockInName, settingsInName } from './file-name.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { findParts, looksPlain, type PlainParts } from './plain-tensors.js';
import { Tensors } from './tensors.js';
import { activationNote, plainNormalization, savedCount, savedPreBias } from './plain-values.js';
import { meaningfulTensor, unusedNote } from './unused-tensors.js';

/** Kinds of a file with neither a threshold nor gates: its activation function is not in it. */
const openKinds = ['Vanilla', 'TopK', 'MLSAE', 'RandomK'] as const satisfies readonly SaeKind[];

/**
 * Names of published files with ReLU: Goodfire's `Llama-3.1-8B-Instruct-SAE-l19.pth` and
 * DeepSeek-R1-Distill's `DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt`.
 */
const publishedRelu = /^(?:Llama-3\.\d-\d+B-Instruct|DeepSeek-R1-Distill-.+)-SAE-l\d+\.[a-z]+$/i;

function candidates({ checkpoint }: Pick<FormatFile, 'checkpoint'>): readonly SaeKind[] {
  const { threshold, gates, k } = findParts(new Tensors(checkpoint));
  if (gates !== null) return ['Gated'];
  if (threshold !== null) return ['JumpReLU'];
  if (k !== null) return ['TopK', 'RandomK', 'MLSAE'];
  return publishedRelu.test(basename(checkpoint.path)) ? ['Vanilla'] : openKinds;
}

function jumpRelu(
  checkpoint: Checkpoint,
  { name, log }: { name: string; log: boolean },
): Activation {
  const { shape } = checkpoint.entries.get(name)!;
  // dictionary_learning's BatchTopK has one threshold, which training sets late.
  if (!log && shape.every((size) => size === 1) && readScalar(checkpoint, name) < 0)
    throw new SaeEvalError(
      'checkpoint-format',
      `${checkpoint.path}: '${name}' is below 0: training never set it, so the file does not say ` +
        'which latents are active.',
    );
  return { kind: 'jumprelu', threshold: { tensor: name, log } };
}

/** The k of the file, and where it stands: in a tensor, in a value, else in the file's name. */
function savedK(
  checkpoint: Checkpoint,
  tensor: string | null,
): { saved: number | null | undefined; where: string } {
  if (tensor !== null)
    return { saved: readScalar(checkpoint, tensor), where: `the tensor '${tensor}'` };
  const value = savedCount(checkpoint);
  if (value !== null) return { saved: value.k, where: `the value '${value.path}'` };
  return { saved: settingsInName(checkpoint.path).k, where: 'the file’s name' };
}

function activationOf(
  checkpoint: Checkpoint,
  { threshold, gates, k, m }: PlainParts,
  given: GivenSettings,
): Activation {
  if (gates !== null) return { kind: 'gated', ...gates };
  if (threshold !== null) return jumpRelu(checkpoint, threshold);
  const { kind } = given.fields;
  if (k === null && (kind === undefined || kind === 'Vanilla')) return { kind: 'relu' };
  return { kind: 'topk', k: given.k({ ...savedK(checkpoint, k), m }) };
}

/** Remark on what the request left to be assumed. */
function assumedNote(
  { fields }: GivenSettings,
  { decoderBias, subtractDecoderBias, normalization }: DictionaryForm,
): Bilingual[] {
  const open = fields.normalization === undefined && normalization.kind === 'none';
  const biasOpen = decoderBias !== null && fields.preBias === undefined;
  if (!open && !biasOpen) return [];
  const [en, zh]: [string[], string[]] = [[], []];
  if (open) {
    en.push('raw activations as its input (`normalization` says otherwise)');
    zh.push('输入为原始激活（可用 `normalization` 更改）');
  }
  if (biasOpen) {
    const not = subtractDecoderBias ? '' : 'not ';
    en.push(`'${decoderBias}' ${not}subtracted before the encoder (\`preBias\` says otherwise)`);
    zh.push(
      `编码前${subtractDecoderBias ? '' : '不'}减去 '${decoderBias}'（可用 \`preBias\` 更改）`,
    );
  }
  return [
    {
      en: `The file cannot say how it is used; assumed: ${en.join('; ')}.`,
      zh: `文件未说明其用法；假定：${zh.join('；')}。`,
    },
  ];
}

/** Remark on weights whose configuration was left behind; null for any other file. */
function saeLensAlone({ path }: Checkpoint): Bilingual | null {
  if (basename(path) !== 'sae_weights.safetensors') return null;
  return {
    en: 'These look like SAELens weights; cfg.json, which says how they are used, is missing.',
    zh: '这些像是 SAELens 的权重；缺少说明其用法的 cfg.json。',
  };
}

/** Remark on a layer in the file's name that was used. */
function layerNote(path: string, layer: number | null, { fields }: GivenSettings): Bilingual[] {
  const taken = layer !== null && fields.layer === undefined && fields.hook === undefined;
  if (!taken || fields.kind === 'MLSAE' || fields.kind === 'RandomK') return [];
  const file = basename(path);
  return [
    {
      en: `From the file's name, ${file}: layer ${layer}.`,
      zh: `取自文件名 ${file}：layer ${layer}。`,
    },
  ];
}

/** The kind must be said, unless the tensors or a published name say it. */
function checkKind({ checkpoint }: FormatFile, { fields }: GivenSettings): readonly SaeKind[] {
  const possible = candidates({ checkpoint });
  const wanted = fields.kind;
  const fits = wanted === undefined ? possible.length === 1 || possible[0] === 'TopK' : true;
  if (fits && (wanted === undefined || possible.includes(wanted))) return possible;
  const alone = saeLensAlone(checkpoint);
  const message =
    wanted === undefined
      ? `${basename(checkpoint.path)}: this file could be ${possible.join(' or ')}; set \`kind\`.` +
        (alone === null ? '' : ` ${alone.en}`)
      : `${basename(checkpoint.path)}: its tensors can be ${possible.join(' or ')}, not ${wanted}.`;
  throw new SaeEvalError('sae-kind', message, { fields: [{ path: 'kind', message }] });
}

function describe(file: FormatFile, given: GivenSettings): FormatDescription {
  const { checkpoint } = file;
  const parts = findParts(new Tensors(checkpoint));
  const { d, m, encoder, decoder, encoderBias, decoderBias } = parts;
  // So Qwen Scope has them, which subtracts nothing: its files under names of others.
  const isOpen = parts.threshold === null && parts.gates === null;
  const isQwens =
    isOpen && parts.turned && decoderBias === 'b_dec' && given.fields.kind !== 'Vanilla';
  const preBias = savedPreBias(checkpoint) ?? (parts.preBias && !isQwens);
  const kinds = checkKind(file, given) as readonly [SaeKind, ...SaeKind[]];
  const extra = meaningfulTensor(checkpoint, new Set(parts.names));
  if (extra !== null)
    throw new SaeEvalError(
      'checkpoint-keys',
      `${checkpoint.path}: tensor '${extra}' would change what the SAE computes, and what it ` +
        'means is not known.',
    );
  const block = blockInName(checkpoint.path);
  const form: DictionaryForm = {
    form: 'dictionary',
    d,
    m,
    encoder,
    decoder,
    encoderBias,
    decoderBias,
    subtractDecoderBias: decoderBias !== null && given.preBias(preBias),
    glu: null,
    centered: given.centered(),
    activation: activationOf(checkpoint, parts, given),
    decoderNorm: 'none',
    normalization: plainNormalization(checkpoint, given),
  };
  return {
    ...form,
    kinds,
    place: {
      over: 'hook point',
      named: block === null ? null : `blocks.${block}.hook_resid_post`,
      from: 'name',
    },
    notes: [
      ...[saeLensAlone(checkpoint)].filter((note) => note !== null),
      ...assumedNote(given, form),
      ...layerNote(checkpoint.path, block === null ? null : block + 1, given),
      ...activationNote(checkpoint, form.activation),
      ...unusedNote(checkpoint, form, parts.names),
    ],
  };
}

export const plain: Format = {
  name: 'plain',
  file: (checkpoint) => (looksPlain(checkpoint) ? { checkpoint, configPath: null } : null),
  candidates,
  describe,
};
