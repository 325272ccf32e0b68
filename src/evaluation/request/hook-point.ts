/** The one hook point of an SAE: what its file says, checked against what the request says. */
import type { Bilingual } from '../../bilingual.js';
import {
  hookNameExamples,
  hookNameOf,
  type BlockSite,
  type HookPoint,
} from '../../lm/hook-names.js';
import { unreachedHook } from '../../lm/unreached-hooks.js';
import type { Place, SaeDescription } from '../../sae/description.js';
import { hookIn, misplaced, shown } from './misplaced.js';
import type { PlacingContext } from './place.js';

type OnePlace = Extract<Place, { over: 'hook point' }>;

/** A layer and a site, with the name that they go by. */
export interface FoundPlace {
  layer: number;
  site: BlockSite | null;
  hookPoint: string | null;
  notes: Bilingual[];
}

function found(hook: HookPoint, hookPoint: string | null, notes: Bilingual[] = []): FoundPlace {
  return { layer: hook.layer, site: hook.site === 'resid' ? null : hook.site, hookPoint, notes };
}

const isSame = (a: HookPoint, b: HookPoint): boolean => a.layer === b.layer && a.site === b.site;

const sources = {
  config: { en: 'configuration', zh: '配置' },
  path: { en: 'path', zh: '路径' },
  name: { en: 'name', zh: '文件名' },
};

/** Remark on a request that puts an SAE elsewhere than its file suggests. */
function movedNote({ from }: OnePlace, named: string, to: Bilingual): Bilingual {
  const { en, zh } = sources[from];
  return {
    en: `The ${en} of the file suggests ${named}; it was evaluated ${to.en}, as the request says.`,
    zh: `文件的${zh}表明其位置为 ${named}；按请求${to.zh}评估。`,
  };
}

const afterBlock = (layer: number): Bilingual => ({
  en: `on the residual stream after block ${layer}`,
  zh: `在第 ${layer} 块之后的残差流上`,
});

/** The place that `hook` of the request names; null, with the reason added, if it cannot be. */
export function atGivenHook(
  name: string,
  place: OnePlace | null,
  { model, add }: PlacingContext,
): FoundPlace | null {
  const hook = hookIn(model, name);
  const wrong = misplaced(name, hook, { model, speaker: '`hook`' });
  if (wrong !== null) {
    add('hook', wrong.message);
    return null;
  }
  const named = place?.named ?? null;
  if (place === null || named === null) return found(hook!, name);
  const own = hookIn(model, named);
  if (own !== null && isSame(own, hook!)) return found(hook!, name);
  if (place.from === 'config' && (own !== null || unreachedHook(named) !== null)) {
    add(
      'hook',
      `the file's configuration names the hook point ${shown(named)}, the request ` +
        `${shown(name)}: leave hook out`,
    );
    return null;
  }
  const to = { en: `at ${name}`, zh: `在 ${name} 处` };
  return found(hook!, name, [movedNote(place, shown(named), to)]);
}

/** Reason why the request must say where an SAE sits whose file names no hook point. */
export function whyAsked({ kind, place }: SaeDescription): string {
  const { named, from, suggests } = place as OnePlace;
  if (suggests !== undefined)
    return `the path names ${suggests}, which cannot be read as one place`;
  if (from === 'name') return `kind ${kind} needs layer or hook, and the file’s name holds none`;
  if (named === null) return 'the file names no hook point';
  const what = unreachedHook(named);
  if (what !== null) return `the path names ${shown(named)}, ${what}`;
  return from === 'path'
    ? `files of this format say in the path where they belong, and '${shown(named)}' is no ` +
        'hook point'
    : `unknown hook point '${shown(named)}'`;
}

/** Whether the path speaks of a site inside a block, so that `layer` alone may not decide. */
export const isElsewhere = ({ named, from, suggests }: OnePlace): boolean =>
  suggests !== undefined || (named !== null && from === 'path' && unreachedHook(named) !== null);

/** The place of an SAE whose file names none that is known, by the `layer` given. */
function atGivenLayer(
  description: SaeDescription,
  given: number | null,
  { model, add }: PlacingContext,
): FoundPlace | null {
  const place = description.place as OnePlace;
  const why = whyAsked(description);
  if (isElsewhere(place)) {
    add(
      given === null ? 'hook' : 'layer',
      `${why}: give hook to say where it reads, such as ${hookNameExamples}` +
        (given === null ? '' : ' (layer means the residual stream after a block)'),
    );
    return null;
  }
  if (given === null) {
    add(
      'layer',
      `${why}: give the block (1…${model.layers}) after which it reads the residual stream, or ` +
        `hook for another place, such as blocks.5.hook_mlp_out`,
    );
    return null;
  }
  const hook: HookPoint = { site: 'resid', layer: given };
  if (place.from !== 'path') return found(hook, null);
  const to = afterBlock(given);
  return found(hook, null, [
    {
      en:
        `The path of the file does not say where it belongs; it was evaluated ${to.en}, as the ` +
        'request says.',
      zh: `文件的路径未说明其位置；按请求${to.zh}评估。`,
    },
  ]);
}

/** The place that a file names, or that `layer` of the request says if it may overrule the file. */
export function atHookPoint(
  description: SaeDescription,
  given: number | null,
  context: PlacingContext,
): FoundPlace | null {
  const { model, add } = context;
  const place = description.place as OnePlace;
  const { named, from } = place;
  const hook = named === null ? null : hookIn(model, named);
  if (named === null || (hook === null && from !== 'config'))
    return atGivenLayer(description, given, context);
  if (from !== 'config' && given !== null && hook!.layer !== given) {
    if (hook!.site === 'resid') {
      const there: HookPoint = { site: 'resid', layer: given };
      return found(there, hookNameOf(there), [movedNote(place, shown(named), afterBlock(given))]);
    }
    add(
      'layer',
      `the ${from} of the file names ${shown(named)}, which is not on the residual stream, and ` +
        `layer ${given} is another block's: leave layer out, or give hook to say where it reads, ` +
        `such as ${hookNameOf({ ...hook!, layer: given })} or ` +
        hookNameOf({ site: 'resid', layer: given }),
    );
    return null;
  }
  const wrong = misplaced(named, hook, { model, speaker: 'the file' });
  if (wrong !== null && from === 'name' && hook!.layer > model.layers)
    add(
      'layer',
      `expected 1…${model.layers}, the blocks of the model, found ${hook!.layer} (the number is ` +
        "from the file's name)",
    );
  else if (wrong !== null) add('checkpoint', wrong.message, wrong.code);
  else if (given !== null && given !== hook!.layer)
    add(
      'layer',
      `the file names ${named}, which is layer ${hook!.layer} here (blocks count from 1), found ` +
        `${given}: leave layer out`,
    );
  else return found(hook!, named);
  return null;
}
