/**
 * The SAEs that a request names by patterns and folders, found below the roots by a process that
 * may read untrusted files.
 */
import { asSaeEvalError, SaeEvalError } from '../src/errors.js';
import {
  Expansion,
  hasPatterns,
  type ParsedRequest,
} from '../src/evaluation/request/checkpoints/expand.js';
import { splitPattern } from '../src/evaluation/request/checkpoints/pattern.js';
import { hidePaths } from '../src/evaluation/request/path-table.js';
import { inspectPatterns, type FoundStart } from '../src/inspect/inspect.js';
import type { Turn } from './fair-gate.js';
import type { Services } from './services.js';

/**
 * The request with every SAE named.
 * @throws SaeEvalError naming the `checkpoints` at fault.
 */
export async function expansionOf(
  { roots, inspections, options }: Pick<Services, 'roots' | 'inspections' | 'options'>,
  body: ParsedRequest,
  turn: Turn,
): Promise<Expansion> {
  if (!hasPatterns(body)) return Expansion.of(body, () => []);
  const found = new Map<string, string[] | SaeEvalError>();
  const starts: FoundStart[] = [];
  for (const typed of new Set(body.saes.flatMap(({ checkpoints }) => checkpoints ?? [])))
    try {
      starts.push({ typed, ...(await roots.resolveStart(splitPattern(typed).base)) });
    } catch (thrown) {
      found.set(typed, asSaeEvalError(thrown, typed));
    }
  const answers =
    starts.length === 0
      ? []
      : await inspections.through(turn, (signal) =>
          inspectPatterns(starts, { timeoutMs: options.inspectTimeout * 1000, signal }),
        );
  for (const [at, { typed, real, within }] of starts.entries()) {
    const answer = answers[at]!;
    const table = [{ name: splitPattern(typed).base, path: real, within }];
    found.set(
      typed,
      'ok' in answer ? answer.ok : hidePaths(SaeEvalError.fromJSON(answer.error), table),
    );
  }
  return Expansion.of(body, (typed) => {
    const one = found.get(typed)!;
    if (one instanceof SaeEvalError) throw one;
    return one;
  });
}
