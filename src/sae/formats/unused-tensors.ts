/**
 * Tensors beside those that an SAE computes with: harmless ones, ones that would change what it
 * computes, and ones that nobody knows.
 */
import type { Bilingual } from '../../bilingual.js';
import { weightDtypes } from '../../checkpoint/dtypes.js';
import type { Checkpoint, TensorEntry } from '../../checkpoint/read.js';
import { usedTensors } from '../used-tensors.js';
import type { SaeForm } from '../description.js';

/** Parts of a trainer that stand beside a model. */
const besideModel =
  /^(?:optim\w*|opt|adamw?|sgd|\w*sched\w*|scaler|rng\w*|\w*_rng|loss\w*|loops|callbacks)\./i;

const oneOf = (...patterns: readonly string[]): RegExp => new RegExp(patterns.join('|'), 'i');

/** Counters, statistics and optimizer states by the last part of their names. */
const harmless = oneOf(
  '^(?:n_averaged|num_batches_tracked|num_updates|num_tokens\\w*|\\w*tokens_seen)$',
  '^(?:\\w*steps?|epoch|iteration|decay|rng_state|sparsity)$',
  '^(?:\\w*last_nonzero|\\w*since_\\w+|\\w*dead\\w*)$',
  '^\\w*(?:act|feature|firing|fire)_?(?:freq\\w*|counts?|density|rate)$',
  '^(?:(?:max_)?exp_avg(?:_sq)?|momentum_buffer)$',
);

/** Names of parts that change what an SAE computes. */
const meaningful = oneOf(
  '(?:^|[._])(?:log_?)?(?:threshold|theta|bandwidth|gat(?:e|ed|ing)|glu)(?:$|[._\\d])',
  '(?:^|[._])(?:mag|skip|router|gain|lora)(?:$|[._\\d])',
  'scal(?:e|ing)|normali[sz]|norm_factor|running_(?:mean|var)|temperature|zero_?points?$',
  '(?:act\\w*|in|input|data\\w*|x|h)_(?:mean|std|norm|bias|var)$',
);

const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** Whether a tensor of that name, beside an SAE's own, changes nothing. */
export const isHarmless = (name: string): boolean =>
  besideModel.test(name) || harmless.test(lastPart(name));

/**
 * First tensor beside those of `own` names that would change what the SAE computes, or null. A
 * tensor without elements, or of whole numbers, cannot.
 */
export function meaningfulTensor(
  {
    entries,
    opaque,
    others,
    contents,
  }: Pick<Checkpoint, 'entries' | 'opaque' | 'others' | 'contents'>,
  own: ReadonlySet<string>,
): string | null {
  // What lies deeper belongs to another module.
  const suspect = (name: string): boolean =>
    !own.has(name) && name.split('.').length <= 2 && !isHarmless(name) && meaningful.test(name);
  const isWeight = (entry: TensorEntry | undefined): boolean =>
    entry !== undefined && weightDtypes.includes(entry.dtype) && !entry.shape.includes(0);
  for (const [name, entry] of entries) if (suspect(name) && isWeight(entry)) return name;
  for (const [name, { isTensor }] of opaque) if (isTensor && suspect(name)) return name;
  // Beside the state dict: what lies in other dicts is an optimizer's, or another model's.
  const beside = others.find(
    (name) => !name.includes('.') && suspect(name) && isWeight(contents.tensors.get(name)),
  );
  return beside ?? null;
}

const quoted = (names: readonly string[]): string =>
  names
    .slice(0, 6)
    .map((name) => `'${name.slice(0, 80)}'`)
    .join(', ') + (names.length > 6 ? ', …' : '');

/** Names of the tensors that a description does not compute with, apart from harmless ones. */
export function unusedTensors({
  checkpoint: { entries, opaque },
  ...form
}: SaeForm & { checkpoint: Checkpoint }): string[] {
  // A tensor k was read when the SAE was described.
  const counts = 'activation' in form && form.activation.kind === 'topk' ? ['k'] : [];
  const used = new Set([...usedTensors(form), ...counts]);
  return [
    ...entries.keys(),
    ...[...opaque].filter(([, { isTensor }]) => isTensor).map(([name]) => name),
  ].filter((name) => !used.has(name) && !isHarmless(name));
}

/**
 * Note that names the unused tensors; empty without any.
 * @param read names of tensors that were read when the SAE was described.
 */
export function unusedNote(
  checkpoint: Checkpoint,
  form: SaeForm,
  read: readonly string[] = [],
): Bilingual[] {
  const names = unusedTensors({ checkpoint, ...form }).filter((name) => !read.includes(name));
  if (names.length === 0) return [];
  const one = names.length === 1;
  return [
    {
      en: `Unknown tensor${one ? '' : 's'} ${quoted(names)} ${one ? 'was' : 'were'} not used.`,
      zh: `未知张量 ${quoted(names)} 未被使用。`,
    },
  ];
}
