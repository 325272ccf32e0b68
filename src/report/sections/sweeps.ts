/** The tables of sweeps: over sparsities, and over the prefixes of nested SAEs. */
import type { EvaluationResult, SaeResult, SweepPoint } from '../../schema/index.js';
import { cell, heading, paragraph, type Block, type Cell } from '../document.js';
import type { Words } from '../language/words.js';
import { nameOf } from '../metric-rows.js';
import { estimate, number, percent } from '../numbers.js';
import { isOverPrefixes, prefixesOf, sweptField } from '../sweep-setting.js';

type Values = Pick<SaeResult, 'strict' | 'reference'>;

const shown = ['L0', 'NormMSE', 'KLDivPerToken', 'DeltaCE'];

const titlesOf = (words: Words): string[] => [
  ...shown.map((field) => nameOf(field, words)),
  `${nameOf('KLDiv', words)} (reference)`,
];

const cellsOf = ({ strict, reference }: Values): Cell[] => [
  cell(number(strict?.L0?.mean)),
  cell(number(strict?.NormMSE?.mean ?? reference?.NormMSE)),
  cell(estimate(strict?.KLDivPerToken)),
  cell(number(strict?.DeltaCE?.mean)),
  cell(number(reference?.KLDiv)),
];

function sparsityTable({ label, sweep }: SaeResult): (words: Words) => Block {
  const field = sweptField(sweep![0]!);
  return (words) => ({
    kind: 'table',
    table: {
      caption: label,
      numeric: true,
      head: [field, ...titlesOf(words)],
      rows: sweep!.map((point) => [cell(String(point[field])), ...cellsOf(point)]),
    },
  });
}

const klOf = ({ strict, reference }: Values): number | null =>
  strict?.KLDivPerToken?.mean ?? reference?.KLDiv ?? null;

/** KL over that of the whole SAE. */
function timesOf(values: Values, whole: Values): number | null {
  const [own, all] = [klOf(values), klOf(whole)];
  return own === null || all === null || all <= 0 ? null : own / all;
}

function prefixTable(sae: SaeResult): (words: Words) => Block {
  const dead = ({ strict }: Values | SweepPoint): Cell =>
    strict?.DeadLatents ? cell(percent(strict.DeadLatents.mean)) : cell(number(null));
  return (words) => ({
    kind: 'table',
    table: {
      caption: sae.label,
      numeric: true,
      head: [
        words.sweeps.prefix,
        ...titlesOf(words),
        words.sweeps.timesWhole,
        nameOf('DeadLatents', words),
      ],
      rows: prefixesOf(sae).map(({ prefix, values, isWhole }) => [
        cell(isWhole ? words.sweeps.whole(prefix) : String(prefix), prefix),
        ...cellsOf(values),
        cell(number(timesOf(values, sae))),
        dead(values),
      ]),
    },
  });
}

export function sweepSections({ results }: EvaluationResult, words: Words): Block[] {
  const notes = results.flatMap(({ label, notes: own }) =>
    own
      .filter(({ metric }) => metric === 'prefixes')
      .map((note) => `${label}${words.separator}${note[words.lang]}`),
  );
  const swept = results.filter(({ sweep }) => (sweep ?? []).length > 0);
  const [nested, sparse] = [true, false].map((over) =>
    swept.filter((sae) => isOverPrefixes(sae) === over),
  ) as [SaeResult[], SaeResult[]];
  return [
    ...(sparse.length === 0
      ? []
      : [
          heading(2, words.sweeps.sparsity, 'sweep'),
          ...sparse.map((sae) => sparsityTable(sae)(words)),
        ]),
    ...(nested.length === 0
      ? []
      : [
          heading(2, words.sweeps.prefixes, 'prefixes'),
          paragraph(words.sweeps.prefixesLine),
          ...nested.map((sae) => prefixTable(sae)(words)),
          ...(notes.length === 0 ? [] : [{ kind: 'list' as const, items: notes }]),
        ]),
  ];
}
