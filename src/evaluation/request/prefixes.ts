/**
 * The prefixes of each SAE: the first latents to which a sweep restricts it, as the request lists
 * them or as the file of a Matryoshka SAE tells its groups.
 */
import type { Bilingual } from '../../bilingual.js';
import type { SaeDescription } from '../../sae/description.js';
import type { ResolvedRequest } from '../../schema/index.js';
import type { Problems } from './problems.js';

export interface ChosenPrefixes {
  /** Prefixes of the sweep; null without a sweep. */
  prefixes: readonly number[] | null;
  notes: readonly Bilingual[];
}

interface Candidate {
  label: string;
  description: Pick<SaeDescription, 'form' | 'groups' | 'm'>;
}

/** SAEs that an error names. */
const mostNamed = 4;

const notSwept = (note: Bilingual): ChosenPrefixes => ({ prefixes: null, notes: [note] });

/** Whether its latents have an order over all of it: cross-layer SAEs have some for each layer. */
const hasFirstLatents = ({ description }: Candidate): boolean => description.form !== 'cross-layer';

const ofLayers: Bilingual = {
  en:
    'It has latents of its own for each layer, and so no first ones among all: it is not swept ' +
    'over prefixes.',
  zh: '每层各有自己的潜变量，整体上没有“前若干个”之分，因此没有前缀扫描。',
};
const untold: Bilingual = {
  en:
    'Its file tells no nested groups, so that it is not swept over prefixes: "groups" takes ' +
    'those of the files, a list of numbers is for any SAE.',
  zh:
    '文件未说明嵌套分组，因此该 SAE 没有前缀扫描："groups" 采用文件中的分组，' +
    '数字列表则适用于任何 SAE。',
};
const maybeNotNested: Bilingual = {
  en:
    'Its file does not say that it was trained with nested groups. If it was not, its first ' +
    'latents are an arbitrary part of it.',
  zh: '文件未说明训练时有嵌套分组。若没有，前若干个潜变量只是其中任意的一部分。',
};

function byGroups(saes: readonly Candidate[], problems: Problems): ChosenPrefixes[] {
  if (saes.every(({ description }) => description.groups === undefined)) {
    const names = saes.slice(0, mostNamed).map(({ label }) => `'${label}'`);
    if (saes.length > mostNamed) names.push('…');
    problems.add(
      'sae-option',
      'prefixes',
      '"groups" asks for the nested groups of Matryoshka SAEs, which the ' +
        `${saes.length === 1 ? 'file' : 'files'} of ${names.join(', ')} do` +
        `${saes.length === 1 ? 'es' : ''} not tell: give a list of numbers, such as [2048, 8192]`,
    );
  }
  return saes.map(({ description: { groups } }) =>
    groups === undefined ? notSwept(untold) : { prefixes: groups, notes: [] },
  );
}

function byList(
  list: readonly number[],
  saes: readonly Candidate[],
  problems: Problems,
): ChosenPrefixes[] {
  const largest = saes.reduce((a, b) => (b.description.m > a.description.m ? b : a));
  const { m: most } = largest.description;
  list.forEach((prefix, place) => {
    if (prefix > most)
      problems.add(
        'sae-option',
        `prefixes[${place}]`,
        `expected at most ${most}, the latents of '${largest.label}'` +
          `${saes.length === 1 ? '' : ', which has most'}, found ${prefix}`,
      );
  });
  return saes.map(({ description: { m, groups } }) => {
    const prefixes = list.filter((prefix) => prefix <= m);
    const left = list.filter((prefix) => prefix > m);
    const leftOut: Bilingual = {
      en:
        `It has ${m} latents: its sweep leaves out ` +
        `${left.length === 1 ? 'the prefix' : 'the prefixes'} ${left.join(', ')}.`,
      zh: `它有 ${m} 个潜变量，扫描不含前缀 ${left.join('、')}。`,
    };
    return {
      prefixes: prefixes.length === 0 ? null : prefixes,
      notes: [
        ...(left.length === 0 ? [] : [leftOut]),
        ...(groups === undefined && prefixes.some((prefix) => prefix < m) ? [maybeNotNested] : []),
      ],
    };
  });
}

/** The prefixes of each SAE, in their order. */
export function choosePrefixes(
  { prefixes }: Pick<ResolvedRequest, 'prefixes'>,
  saes: readonly Candidate[],
  problems: Problems,
): ChosenPrefixes[] {
  if (prefixes === undefined || saes.length === 0)
    return saes.map(() => ({ prefixes: null, notes: [] }));
  const swept = saes.filter(hasFirstLatents);
  if (swept.length === 0) {
    problems.add(
      'sae-option',
      'prefixes',
      `'${saes[0]!.label}' has latents of its own for each layer, and so no first ones among ` +
        'all: leave prefixes out',
    );
    return saes.map(() => notSwept(ofLayers));
  }
  const chosen =
    prefixes === 'groups' ? byGroups(swept, problems) : byList(prefixes, swept, problems);
  return saes.map((one) => chosen[swept.indexOf(one)] ?? notSwept(ofLayers));
}
