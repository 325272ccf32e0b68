/** The hook points that transcoders predict, beside those that they read. */
import {
  hookNameExamples,
  hookNameOf,
  type BlockSite,
  type HookPoint,
} from '../../lm/hook-names.js';
import { blockSites } from '../../schema/index.js';
import type { Place, SaeDescription, TranscoderForm } from '../../sae/description.js';
import type { SaeSpec } from '../../schema/index.js';
import type { FoundPlace } from './hook-point.js';
import { hookIn, misplaced, shown } from './misplaced.js';
import { widthAt, type PlacedSae, type PlacingContext } from './place.js';

/** A layer, with the site inside its block; null for the residual stream after it. */
export interface ReadPlace {
  layer: number;
  site: BlockSite | null;
}

const hookOf = ({ layer, site }: ReadPlace): HookPoint => ({ layer, site: site ?? 'resid' });

/** Place of a hook point in the order in which the model computes. */
const orderOf = ({ layer, site }: ReadPlace): number =>
  layer * (blockSites.length + 1) + (site === null ? blockSites.length : blockSites.indexOf(site));

const isSame = (a: ReadPlace, b: ReadPlace): boolean => a.layer === b.layer && a.site === b.site;

/** The hook point of a name; null, with the reason added, if the model has none. */
export function namedPlace(
  name: string,
  { model, add }: PlacingContext,
  { field, speaker }: { field: string; speaker: string },
): ReadPlace | null {
  const hook = hookIn(model, name);
  const wrong = misplaced(name, hook, { model, speaker });
  if (wrong === null)
    return { layer: hook!.layer, site: hook!.site === 'resid' ? null : hook!.site };
  add(field, wrong.message, wrong.code);
  return null;
}

/** Adds a fault if a site has another width than the SAE has there. */
export function checkWidthAt(
  d: number,
  place: ReadPlace,
  { model, add }: PlacingContext,
  end: 'reads' | 'predicts',
): void {
  const [width, what] = widthAt(place.site, model, place.layer);
  if (d === width) return;
  add(
    'checkpoint',
    `expected a transcoder that ${end} ${width} values at ${hookNameOf(hookOf(place))}, ${what}, ` +
      `found ${d}: it was trained on another model or another site`,
    'sae-width',
  );
}

/** Adds a fault if what is predicted is not computed after what is read. */
function checkOrder(reads: ReadPlace, predicts: ReadPlace, { add }: PlacingContext): boolean {
  if (orderOf(reads) < orderOf(predicts)) return true;
  add(
    'hookOut',
    isSame(reads, predicts)
      ? `${hookNameOf(hookOf(reads))} is the hook point that it reads: leave hookOut out for an ` +
          'autoencoder'
      : `the model computes ${hookNameOf(hookOf(predicts))} before ${hookNameOf(hookOf(reads))}, ` +
          'which it reads: a transcoder predicts what comes later',
  );
  return false;
}

/** The place that a transcoder predicts, of one that reads `found`; null with the reason added. */
export function placeOut(
  spec: SaeSpec,
  { place, dOut, d }: SaeDescription & TranscoderForm,
  found: FoundPlace,
  context: PlacingContext,
): PlacedSae | null {
  const { add } = context;
  const { out = null, from } = place as Extract<Place, { over: 'hook point' }>;
  const name = spec.hookOut ?? out;
  if (name === null) {
    add(
      'hookOut',
      'the file is of a transcoder and does not name the hook point that it predicts: give ' +
        `hookOut, such as ${hookNameExamples.split(', ')[1]!}`,
    );
    return null;
  }
  const field = spec.hookOut === undefined ? 'checkpoint' : 'hookOut';
  const speaker = spec.hookOut === undefined ? 'the file' : '`hookOut`';
  const predicts = namedPlace(name, context, { field, speaker });
  if (predicts === null) return null;
  const own = out === null ? null : hookIn(context.model, out);
  const isOther =
    own !== null && !isSame(predicts, { ...own, site: own.site === 'resid' ? null : own.site });
  if (isOther && from === 'config') {
    add(
      'hookOut',
      `the file's configuration names the hook point ${shown(out!)}, the request ${shown(name)}: ` +
        'leave hookOut out',
    );
    return null;
  }
  const reads = { layer: found.layer, site: found.site };
  if (!checkOrder(reads, predicts, context)) return null;
  checkWidthAt(d, reads, context, 'reads');
  checkWidthAt(dOut, predicts, context, 'predicts');
  return {
    ...predicts,
    layers: [predicts.layer],
    hookPoint: found.hookPoint,
    hookOut: name,
    reads: [reads],
    notes: found.notes,
  };
}

/** The places of an SAE of several layers that reads some and predicts others. */
export function placeLayers(
  { place, d }: SaeDescription,
  context: PlacingContext,
): PlacedSae | null {
  const { named, out = named } = place as Extract<Place, { over: 'hook points' }>;
  const speaker = { field: 'checkpoint', speaker: 'the file' };
  const reads = named.map((name) => namedPlace(name, context, speaker));
  const predicts = out.map((name) => namedPlace(name, context, speaker));
  if (reads.includes(null) || predicts.includes(null)) return null;
  const [inputs, outputs] = [reads as ReadPlace[], predicts as ReadPlace[]];
  const isOrdered = [...outputs.keys()].every(
    (l) => l === 0 || orderOf(outputs[l - 1]!) < orderOf(outputs[l]!),
  );
  const isBefore = inputs.every((read, l) => orderOf(read) <= orderOf(outputs[l]!));
  if (!isOrdered || !isBefore) {
    context.add(
      'checkpoint',
      'expected layers in the order in which the model computes them, each read before it is ' +
        `predicted, found ${named.slice(0, 4).map(shown).join(', ')} and ` +
        out.slice(0, 4).map(shown).join(', '),
      'sae-kind',
    );
    return null;
  }
  for (const read of inputs) checkWidthAt(d, read, context, 'reads');
  for (const predicted of outputs) checkWidthAt(d, predicted, context, 'predicts');
  return {
    layer: null,
    layers: outputs.map(({ layer }) => layer),
    site: outputs[0]!.site,
    hookPoint: named.join(', '),
    hookOut: out === named ? null : out.join(', '),
    reads: inputs,
    notes: [],
  };
}
