/** Layers and site at which an SAE is spliced. */
import type { Bilingual } from '../bilingual.js';
import type { SaeResult } from '../schema/index.js';

type Placed = Pick<SaeResult, 'layer' | 'layers' | 'site' | 'head'>;

/** A text that is the same for SAEs that are spliced at the same place. */
export const placeKey = ({ layer, layers = [], site, head }: Placed): string =>
  JSON.stringify([layer === undefined ? layers : [layer], site ?? null, head ?? null]);

/** `mlp_out` or `attn_z, head 2`; null for a residual stream. */
function siteOf({ site, head }: Placed): Bilingual | null {
  if (site === undefined) return null;
  return head === undefined
    ? { en: site, zh: site }
    : { en: `${site}, head ${head}`, zh: `${site}，头 ${head}` };
}

/** `4–12` for neighbors, else a list. */
function range(layers: readonly number[]): string {
  const consecutive = layers.length > 2 && layers.every((layer, i) => layer === layers[0]! + i);
  return consecutive ? `${layers[0]}–${layers.at(-1)}` : layers.join(', ');
}

/** `layer 16` and `第 16 层`, `layers 4–12` and `第 4–12 层`, with the site if there is one. */
export function placeOf({ layer, layers = [], ...rest }: Placed): Bilingual {
  const site = siteOf(rest);
  const where = layer === undefined ? range(layers) : String(layer);
  const isOne = layer !== undefined || layers.length === 1;
  return {
    en: `${isOne ? 'layer' : 'layers'} ${where}${site === null ? '' : `, ${site.en}`}`,
    zh: `第 ${where.replaceAll(', ', '、')} 层${site === null ? '' : `（${site.zh}）`}`,
  };
}

/** `16`, `4–12` or `16, mlp_out`, for a column of layers. */
export function placeText({ layer, layers = [], ...rest }: Placed): string {
  const where = layer === undefined ? range(layers) : String(layer);
  const site = siteOf(rest);
  return site === null ? where : `${where}, ${site.en}`;
}
