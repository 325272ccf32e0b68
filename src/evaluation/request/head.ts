/** SAEs on the outputs of one head of attention. */
import type { BlockSite } from '../../lm/index.js';
import { headsAt, type PlacingContext } from './place.js';

/**
 * Whether an SAE of width d on that head fits its site; adds the fault if it does not.
 * @param head index from 0.
 */
export function checkHead(
  { d, head, site, layer }: { d: number; head: number; site: BlockSite | null; layer: number },
  { model, add }: PlacingContext,
): boolean {
  const { heads, width } = headsAt(model, layer);
  if (site !== 'attn_z') {
    add(
      'checkpoint',
      `the file names head ${head} of a place that has no heads; SAEs on one head are evaluated ` +
        'on the outputs of the heads (blocks.5.attn.hook_z)',
      'sae-kind',
    );
    return false;
  }
  if (head >= heads) {
    add(
      'checkpoint',
      `the file names head ${head}, counted from 0; block ${layer} has ${heads} heads: it was ` +
        'trained on another model',
      'sae-width',
    );
    return false;
  }
  if (d === width) return true;
  add(
    'checkpoint',
    `expected an SAE of width ${width}, the output of one head, found ${d}: it was ` +
      'trained on another model or another site',
    'sae-width',
  );
  return false;
}
