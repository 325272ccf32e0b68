/**
 * What the name of a bare state dict says: the RouteSAE scripts save `TopK_L12_K64.pt` and keep
 * layer and k nowhere else. A request's own word wins. Native-free.
 */
import { basename } from 'node:path';
import type { KindLayout } from '../layout.js';
import type { Bilingual, SaeSpec } from '../../schema/index.js';

export interface NamedSettings {
  layer?: number;
  k?: number;
}

/**
 * `…_L12_K64_….pt` → layer 12, k 64; each alone counts too. Nothing where a part stands there
 * twice.
 */
export function settingsInName(path: string): NamedSettings {
  const parts = basename(path)
    .replace(/\.[A-Za-z]+$/, '')
    .split(/[_\-.]/);
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
 * The spec with what the file's name says where the request leaves it out and the kind takes it,
 * and a note that says so.
 */
export function withNamedSettings(
  spec: SaeSpec,
  { layer: rule, hasK }: Pick<KindLayout, 'layer' | 'hasK'>,
): { spec: SaeSpec; notes: Bilingual[] } {
  const named = settingsInName(spec.checkpoint);
  // A RandomK's layer is drawn: the name's is the one that its file was trained on.
  const layer = spec.layer === undefined && rule === 'required' ? named.layer : undefined;
  const k = spec.k === undefined && hasK ? named.k : undefined;
  const taken = [
    ...(layer === undefined ? [] : [`layer ${layer}`]),
    ...(k === undefined ? [] : [`k ${k}`]),
  ];
  if (taken.length === 0) return { spec, notes: [] };
  const file = basename(spec.checkpoint);
  return {
    spec: { ...spec, ...(layer === undefined ? {} : { layer }), ...(k === undefined ? {} : { k }) },
    notes: [
      {
        en: `From the file's name, ${file}: ${taken.join(', ')}.`,
        zh: `取自文件名 ${file}：${taken.join('，')}。`,
      },
    ],
  };
}
