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

/**
 * Number of the block, from 0, after which an SAE reads, in a name such as `sae_layer_19.pt`,
 * `SAE-l19.pth` or, counting layers from 1, `TopK_L20.pt`; null if the name has none or several.
 */
export function blockInName(path: string): number | null {
  const name = partsOf(path).join('_');
  const found = new Set(
    [...name.matchAll(/(?:^|_)(?:layer_?|l)(\d{1,4})(?=_|$)/g)].map(([, block]) => Number(block)),
  );
  const { layer } = settingsInName(path);
  if (layer !== undefined) found.add(layer - 1);
  return found.size === 1 ? [...found][0]! : null;
}

/** The one of these kinds that the name of the file holds as a part; null if none or several do. */
export function kindInName<Kind extends string>(path: string, kinds: readonly Kind[]): Kind | null {
  const parts = new Set(partsOf(path).map((part) => part.toLowerCase()));
  const found = kinds.filter((kind) => parts.has(kind.toLowerCase()));
  return found.length === 1 ? found[0]! : null;
}
