/** The checkpoints that one `checkpoints` field of a request names: a pattern or a folder. */
import { SaeEvalError } from '../../../errors.js';
import { missingPath } from '../../../missing-path.js';
import { checkpointEnding, sortOf, type SearchOptions } from '../../../sae/checkpoint-names.js';
import { saesBelow } from '../../../sae/saes-below.js';
import { mostSaes } from '../../../schema/index.js';
import { matches, nameBelow, splitPattern } from './pattern.js';

/** Neighbors and faults that are named. */
const mostNamed = 4;

/** The files that were looked at and are no SAEs, in words, if nothing was found. */
class Looked {
  readonly #others: string[] = [];
  readonly #errors: SaeEvalError[] = [];

  other(name: string): void {
    this.#others.push(name);
  }

  error(error: SaeEvalError): void {
    this.#errors.push(error);
  }

  get clause(): string {
    const { length: others } = this.#others;
    const shown = this.#others.slice(0, mostNamed).join(', ');
    const parts = [
      ...(others === 0 ? [] : [`no SAE: ${shown}${others > mostNamed ? ', …' : ''}`]),
      ...this.#errors.slice(0, 1).map(({ message }) => `not readable: ${message}`),
    ];
    const count = others + this.#errors.length;
    const files = `${count} file${count === 1 ? '' : 's'}`;
    return `${files} looked at${parts.map((part) => `; ${part}`).join('')}`;
  }
}

function tooMany(): SaeEvalError {
  return new SaeEvalError(
    'request-invalid',
    `expected at most ${mostSaes} SAEs in a request, found more: narrow the pattern, or evaluate ` +
      'in several runs',
  );
}

/**
 * The checkpoints of a pattern or folder, as a request names them, in natural order. Files that a
 * pattern matches are taken as they are; of folders, the SAEs that lie in them.
 * @param typed the field's value.
 * @param real where its part before the first wildcard lies in the file system.
 * @throws SaeEvalError `file-not-found` if there is none, saying what was looked at;
 *   `request-invalid` for more than a request may have.
 */
export async function findCheckpoints(
  typed: string,
  real: string,
  options: SearchOptions = {},
): Promise<string[]> {
  const { base, rest } = splitPattern(typed);
  if (sortOf(real) === 'other') throw missingPath(base, { hub: 'SAE' });
  const looked = new Looked();
  const found: string[] = [];
  const nameOf = (path: string): string => nameBelow(base, real, path);
  const add = (path: string): void => {
    found.push(nameOf(path));
    if (found.length > mostSaes) throw tooMany();
  };
  const matched = rest.length === 0 ? [real] : matches(real, rest, options);
  for (const path of matched) {
    if (sortOf(path) === 'file') {
      if (checkpointEnding.test(path) || rest.length === 0) add(path);
      else looked.other(nameOf(path));
      continue;
    }
    for await (const one of saesBelow(path, options)) {
      if ('files' in one) add(one.path);
      else if ('error' in one) looked.error(one.error);
      else looked.other(nameOf(one.path));
    }
  }
  if (found.length > 0) return [...new Set(found)];
  const what =
    rest.length === 0
      ? 'no SAE lies below this folder'
      : matched.length === 0
        ? `nothing in ${base} matches ${rest.join('/')}`
        : `${matched.length} matched, none of them an SAE`;
  throw new SaeEvalError(
    'file-not-found',
    `${typed}: ${what}${matched.length === 0 ? '' : ` (${looked.clause})`}`,
  );
}
