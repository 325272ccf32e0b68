/**
 * Values beside a plain SAE's tensors in its file: its k, the number that its input was divided
 * by, and settings of the code that trained it.
 */
import type { Bilingual } from '../../bilingual.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import { shownOnOneLine } from '../../shown-text.js';
import type { Activation, Normalization } from '../description.js';
import type { GivenSettings } from '../given.js';

type Values = Pick<Checkpoint, 'values'>;

/** Dicts of settings: a name at the top, then the setting. */
const settings = /^(?:sae_)?(?:config|cfg|args|hparams|hyper_?parameters|settings)\.(\w+)$/;

/** Name of a value that stands at the top or in a dict of settings; null for any other. */
function settingIn(path: string): string | null {
  return path.includes('.') ? (settings.exec(path)?.[1] ?? null) : path;
}

/** First value of a setting with one of these names. */
function settingOf(
  { values }: Values,
  names: readonly string[],
): { path: string; value: unknown } | null {
  for (const [path, value] of values)
    if (names.includes(settingIn(path) ?? '')) return { path, value };
  return null;
}

/** The k that the file says in a value, and its path. */
export function savedCount(checkpoint: Values): { k: number; path: string } | null {
  const found = settingOf(checkpoint, ['k']);
  return typeof found?.value === 'number' ? { k: found.value, path: found.path } : null;
}

/** Whether the file says that its decoder bias is subtracted first; null if it does not say. */
export function savedPreBias(checkpoint: Values): boolean | null {
  const found = settingOf(checkpoint, ['apply_b_dec_to_input']);
  return typeof found?.value === 'boolean' ? found.value : null;
}

/** Names of numbers by which an input is made. */
const scaling = new RegExp(
  '^(?:norm_factor|norm_scale|scal(?:e|ing)(?:_factor)?|' +
    '(?:in|input|act\\w*|data\\w*)_(?:scale|norm|std)\\w*)$',
);
const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 60) ?? 'none';

/** A value that says something of the input, in words that do not tell what to compute. */
function doubtfulInput({ values }: Values): string | null {
  for (const [path, value] of values) {
    const changes = typeof value === 'number' && value !== 1;
    if (!path.includes('.') && changes && scaling.test(path)) return `${path} ${shown(value)}`;
    const isNone = value === null || value === false || value === 'none';
    if (settingIn(path) === 'normalize_activations' && !isNone) return `${path} ${shown(value)}`;
  }
  return null;
}

/**
 * How activations become the input. A backup of dictionary_learning holds the number that its input
 * was divided by; what other values mean, the request must say.
 */
export function plainNormalization(checkpoint: Checkpoint, given: GivenSettings): Normalization {
  const { normalization, scale } = given.fields;
  const factor = checkpoint.values.get('norm_factor');
  const isBackup = checkpoint.prefix.startsWith('ae.');
  if (normalization === undefined && isBackup && typeof factor === 'number' && factor > 0)
    return given.optionalScale({ kind: 'scale', factor: 1 / factor });
  const doubt = doubtfulInput(checkpoint);
  if (normalization !== undefined || scale !== undefined || doubt === null)
    return given.normalization({ kind: 'none' });
  given.ask(
    'normalization',
    `the file says ${doubt} of its input, which does not tell how the input is made: give ` +
      '`normalization` (none for raw activations), or `scale`, the number that it is multiplied by',
  );
  return { kind: 'none' };
}

/** Settings by which a file may name an activation. */
const activationWords = ['activation', 'activation_fn', 'activation_fn_str', 'architecture'];
const called: Partial<Record<Activation['kind'], RegExp>> = {
  relu: /^(?:relu|standard|vanilla)$/i,
  topk: /top_?k|mlsae/i,
  jumprelu: /jump|top_?k/i,
  gated: /gated|relu/i,
};

/** Remark on an activation that the file names and the SAE is not computed with. */
export function activationNote(checkpoint: Checkpoint, { kind }: Activation): Bilingual[] {
  const found = settingOf(checkpoint, activationWords);
  if (typeof found?.value !== 'string' || called[kind]?.test(found.value) !== false) return [];
  const said = `${found.path} ${shownOnOneLine(shown(found.value))}`;
  return [
    {
      en: `The file says ${said}; the SAE is computed with ${kind}, which is what \`kind\` means.`,
      zh: `文件称 ${said}；该 SAE 按 \`kind\` 所指的 ${kind} 计算。`,
    },
  ];
}
