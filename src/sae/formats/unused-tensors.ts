/**
 * Tensors beside those that an SAE computes with: harmless ones, ones that would change what it
 * computes, and ones that nobody knows.
 */
import type { Bilingual } from '../../bilingual.js';
import { weightDtypes } from '../../checkpoint/dtypes.js';
import type { Checkpoint } from '../../checkpoint/read.js';
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
  { entries, opaque }: Pick<Checkpoint, 'entries' | 'opaque'>,
  own: ReadonlySet<string>,
): string | null {
  // What lies deeper belongs to another module.
  const suspect = (name: string): boolean =>
    !own.has(name) && name.split('.').length <= 2 && !isHarmless(name) && meaningful.test(name);
  for (const [name, { dtype, shape }] of entries)
    if (suspect(name) && weightDtypes.includes(dtype) && !shape.includes(0)) return name;
  for (const [name, { isTensor }] of opaque) if (isTensor && suspect(name)) return name;
  return null;
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
  const used = usedTensors(form);
  return [
    ...entries.keys(),
    ...[...opaque].filter(([, { isTensor }]) => isTensor).map(([name]) => name),
  ].filter((name) => !used.has(name) && !isHarmless(name));
}

/** Note that names the unused tensors; empty without any. */
export function unusedNote(checkpoint: Checkpoint, form: SaeForm): Bilingual[] {
  const names = unusedTensors({ checkpoint, ...form });
  if (names.length === 0) return [];
  const one = names.length === 1;
  return [
    {
      en: `Unknown tensor${one ? '' : 's'} ${quoted(names)} ${one ? 'was' : 'were'} not used.`,
      zh: `未知张量 ${quoted(names)} 未被使用。`,
    },
  ];
}
