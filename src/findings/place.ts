/** Layers and site at which an SAE is spliced. */
import type { Bilingual } from '../bilingual.js';
import type { SaeResult } from '../schema/index.js';

type Placed = Pick<SaeResult, 'layer' | 'layers' | 'site' | 'head' | 'reads'>;

/** Site, or residual stream, of a place that another one is told beside. */
function siteName({ layer, layers, site }: NonNullable<SaeResult['reads']>): string {
  return site ?? `resid ${layer ?? `${layers?.[0]}–${layers?.at(-1)}`}`;
}

/**
 * `mlp_out`, `ln2_out → mlp_out` of a transcoder, or `attn_z, head 2`; undefined for the residual
 * stream alone.
 */
function sitesOf({ site, head, reads }: Placed): Bilingual | undefined {
  if (head !== undefined) return { en: `${site}, head ${head}`, zh: `${site}，头 ${head}` };
  const name = reads === undefined ? site : `${siteName(reads)} → ${site ?? 'resid'}`;
  return name === undefined ? undefined : { en: name, zh: name };
}

/** A text that is the same for SAEs that are spliced at the same place. */
export const placeKey = ({ layer, layers = [], site, head }: Placed): string =>
  JSON.stringify([layer === undefined ? layers : [layer], site ?? null, head ?? null]);

/** `4–12` for neighbors, else a list. */
function range(layers: readonly number[]): string {
  const consecutive = layers.length > 2 && layers.every((layer, i) => layer === layers[0]! + i);
  return consecutive ? `${layers[0]}–${layers.at(-1)}` : layers.join(', ');
}

/** `layer 16` and `第 16 层`, `layers 4–12` and `第 4–12 层`, with the site if there is one. */
export function placeOf(placed: Placed): Bilingual {
  const { layer, layers = [] } = placed;
  const site = sitesOf(placed);
  const where = layer === undefined ? range(layers) : String(layer);
  const isOne = layer !== undefined || layers.length === 1;
  return {
    en: `${isOne ? 'layer' : 'layers'} ${where}${site === undefined ? '' : `, ${site.en}`}`,
    zh: `第 ${where.replaceAll(', ', '、')} 层${site === undefined ? '' : `（${site.zh}）`}`,
  };
}

/** `16`, `4–12`, `16, mlp_out` or `16, ln2_out → mlp_out`, for a column of layers. */
export function placeText(placed: Placed): string {
  const { layer, layers = [] } = placed;
  const site = sitesOf(placed);
  const where = layer === undefined ? range(layers) : String(layer);
  return site === undefined ? where : `${where}, ${site.en}`;
}
