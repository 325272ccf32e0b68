/** Splits of a data set, as the names of files and folders on the Hugging Face hub tell them. */

/** Words for a split, by the name of the split. */
const words: Record<string, string> = {
  train: 'train',
  training: 'train',
  test: 'test',
  testing: 'test',
  eval: 'eval',
  evaluation: 'eval',
  validation: 'validation',
  valid: 'validation',
  val: 'validation',
  dev: 'validation',
};
const word = Object.keys(words).join('|');
const atEnd = new RegExp(`(?:^|[-_. ])(${word})$`, 'i');
const atBegin = new RegExp(`^(${word})(?:[-_. ]|$)`, 'i');
/** Name of a shard: `train-00000-of-00002`, `c4-train.00000-of-01024`. */
const shard = /^(.+?)[-._]\d{1,6}-of-\d{1,6}(?:-[0-9a-f]+)?$/;

/** Name of a split in one spelling: `dev`, `val` and `valid` are `validation`. */
export function splitNamed(name: string): string {
  return words[name.toLowerCase()] ?? name;
}

/**
 * Split that the name of a file tells; null if it tells none.
 * @param strict whether the name must be the split's and nothing else, as for texts, whose names
 *   are titles.
 */
export function splitOfFile(name: string, { strict = false } = {}): string | null {
  const stem = name.replace(/\.(jsonl|json|parquet|txt|arrow)(\.gz|\.zst)?$/, '');
  const ofShard = shard.exec(stem)?.[1];
  const named = ofShard ?? stem;
  if (strict && ofShard === undefined) return words[stem.toLowerCase()] ?? null;
  const found = atEnd.exec(named) ?? atBegin.exec(named);
  return found !== null ? splitNamed(found[1]!) : (ofShard ?? null);
}

/** Split that the name of a folder tells; null if it tells none. */
export function splitOfFolder(name: string): string | null {
  return words[name.toLowerCase()] ?? null;
}
