/** Labels of a request's SAEs: the kind unless given, numbered if a kind repeats. */
import type { SaeKind } from '../../schema/index.js';

/** One label for each SAE, all different. */
export function labelsFor(
  saes: readonly { label?: string | undefined; kind: SaeKind }[],
): string[] {
  const taken = new Set(saes.flatMap(({ label }) => (label === undefined ? [] : [label])));
  return saes.map(({ label, kind }) => {
    if (label !== undefined) return label;
    let candidate: string = kind;
    for (let n = 2; taken.has(candidate); n++) candidate = `${kind} ${n}`;
    taken.add(candidate);
    return candidate;
  });
}
