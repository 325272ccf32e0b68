/**
 * Hook points in the names of a file and its folders: `layers.5.mlp/sae.safetensors`,
 * `mlp_out_layer_5/trainer_0/ae.pt`, `TopK_mlp_out_L6_K64.pt`. A path only suggests: a request may
 * say otherwise, but an SAE is not taken for one on the residual stream against its path's word.
 */
import { resolve, sep } from 'node:path';
import { hookNameOf, parseHookName, type BlockSite } from '../../lm/hook-names.js';
import { unreachedHook } from '../../lm/unreached-hooks.js';
import { isTranscoder, type Place, type SaeDescription } from '../../sae/description.js';

const isHook = (name: string): boolean =>
  parseHookName(name) !== null || unreachedHook(name) !== null;

const inName = [
  /(?<![\w.])(?:resid_pre|resid_mid|resid_post|attn_out|mlp_out)_layer_\d{1,5}(?![\w.])/,
  new RegExp(
    'blocks\\.\\d{1,5}\\.(?:attn\\.hook_(?:z|q|k|v|result)|mlp\\.hook_(?:in|pre|post)|' +
      'ln\\d\\.hook_normalized|hook_(?:resid_pre|resid_mid|resid_post|attn_out|mlp_out|mlp_in))' +
      '(?![a-z])',
  ),
];

/** The hook point that a file or folder name is or holds; null if it has none. */
function hookIn(name: string): string | null {
  if (/\d/.test(name) && isHook(name)) return name;
  return inName.map((pattern) => pattern.exec(name)?.[0]).find((found) => found) ?? null;
}

/** Names of the file, without its ending, and of the two folders above it, nearest first. */
function namesOf(path: string): string[] {
  const names = path.split(sep).slice(-3).toReversed();
  return names.map((name, at) =>
    at > 0 ? name : name.replace(/\.(?:pt|pth|bin|ckpt|npz|safetensors)$/, ''),
  );
}

/** Words for sites in names that tell no block; null for a site that cannot be reached. */
const siteWords: readonly (readonly [string, BlockSite | null])[] = [
  ['mlp_out', 'mlp_out'],
  ['attn_out', 'attn_out'],
  ['resid_mid', 'resid_mid'],
  ['hook_z', 'attn_z'],
  ['attn_z', 'attn_z'],
  ['mlp_in', 'mlp_in'],
  ['mlp_post', 'mlp_post'],
  ['mlp_hidden', null],
];

function siteWordIn(names: readonly string[]): (typeof siteWords)[number] | null {
  const found = siteWords.find(([word]) =>
    names.some((name) => new RegExp(`(?<![a-z])${word}(?![a-z])`, 'i').test(name)),
  );
  return found ?? null;
}

/** The place of an SAE whose configuration names none, with what its path says. */
function placeByPath(place: Place, path: string): Place {
  if (place.over !== 'hook point' || (place.from === 'config' && place.named !== null))
    return place;
  const { over, named } = place;
  const own = named === null ? null : parseHookName(named);
  const names = namesOf(path);
  const inPath = names.map(hookIn).find((found) => found !== null) ?? null;
  if (inPath !== null) {
    const hook = parseHookName(inPath);
    if (own === null || hook === null || own.layer === hook.layer)
      return own === null || own.site === 'resid' ? { over, named: inPath, from: 'path' } : place;
    return { over, named: null, from: 'path', suggests: `${named} and ${inPath}` };
  }
  const isRead = named !== null && (own !== null || unreachedHook(named) !== null);
  if (isRead && place.from === 'path') return place;
  const word = siteWordIn(names.slice(0, 2));
  if (word === null) return place;
  const [suggests, site] = word;
  if (own === null || site === null) return { ...place, named: null, suggests };
  return { over, named: hookNameOf({ site, layer: own.layer }), from: 'name' };
}

/** The description with what the path says about a place that the configuration does not name. */
export function placedByPath(description: SaeDescription): SaeDescription {
  const { place, checkpoint } = description;
  // A word of the path could mean what a transcoder reads or what it predicts.
  if (isTranscoder(description)) return description;
  return { ...description, place: placeByPath(place, resolve(checkpoint.path)) };
}
