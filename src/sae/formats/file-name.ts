/**
 * Settings in the name of a bare state dict: the RouteSAE scripts save `TopK_L12_K64.pt` and keep
 * layer and k nowhere else.
 */
import { basename } from 'node:path';

export interface NamedSettings {
  layer?: number;
  k?: number;
}

const partsOf = (path: string): string[] =>
  basename(path)
    .replace(/\.[A-Za-z]+$/, '')
    .split(/[_\-.]/);

/**
 * `…_L12_K64_….pt` → layer 12, k 64. Each counts alone too; a part that stands in the name twice
 * does not count.
 */
export function settingsInName(path: string): NamedSettings {
  const parts = partsOf(path);
  const number = (letter: 'L' | 'K'): number | undefined => {
    const found = parts.flatMap(
      (part) => new RegExp(`^${letter}([1-9]\\d{0,5})$`).exec(part)?.[1] ?? [],
    );
    return found.length === 1 ? Number(found[0]) : undefined;
  };
  const layer = number('L');
  const k = number('K');
  return { ...(layer === undefined ? {} : { layer }), ...(k === undefined ? {} : { k }) };
}

/** The one of these kinds that the name of the file holds as a part; null if none or several do. */
export function kindInName<Kind extends string>(path: string, kinds: readonly Kind[]): Kind | null {
  const parts = new Set(partsOf(path).map((part) => part.toLowerCase()));
  const found = kinds.filter((kind) => parts.has(kind.toLowerCase()));
  return found.length === 1 ? found[0]! : null;
}
