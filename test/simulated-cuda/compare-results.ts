/** Compares the numbers of two results of one request. */
import type { EvaluationResult } from '#src/schema/index.js';

/** Fields that tell when and where, not what. */
const aside = new Set([
  ...['id', 'createdAt', 'timing', 'memory', 'config', 'findings', 'warnings'],
]);

/** Every number of a result by its path. */
export function numbersOf(result: EvaluationResult): Map<string, number> {
  const found = new Map<string, number>();
  const walk = (path: string, value: unknown): void => {
    if (typeof value === 'number') found.set(path, value);
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value))
        if (!aside.has(key)) walk(`${path}.${key}`, inner);
  };
  walk('', result);
  return found;
}

/**
 * Paths at which two results differ by more than `relative`, or by `absolute` where numbers are
 * near zero; and paths that only one has.
 */
export function differences(
  a: EvaluationResult,
  b: EvaluationResult,
  { relative, absolute = 1e-6 }: { relative: number; absolute?: number },
): string[] {
  const [one, other] = [numbersOf(a), numbersOf(b)];
  return [...new Set([...one.keys(), ...other.keys()])].filter((path) => {
    const [x, y] = [one.get(path), other.get(path)];
    if (x === undefined || y === undefined) return true;
    return !(Math.abs(x - y) <= Math.max(absolute, relative * Math.max(Math.abs(x), Math.abs(y))));
  });
}
