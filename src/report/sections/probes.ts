/** Findings of probes on the labelled data sets of a run. */
import type {
  EvaluationResult,
  ProbeAccuracy,
  ProbeResult,
  SparseProbing,
} from '../../schema/index.js';
import { cell, heading, paragraph, type Block, type Cell } from '../document.js';
import { probeWords } from '../language/probes.js';
import type { Words } from '../language/words.js';
import { estimate, notAvailable, number } from '../numbers.js';

const accuracyCell = (accuracy: ProbeAccuracy | undefined): Cell =>
  accuracy === undefined ? cell(notAvailable) : cell(estimate(accuracy), accuracy.mean);

/** The first latent of each label. */
const firstLatents = ({ labels }: SparseProbing): string =>
  labels
    .map(
      ({ label, latents, accuracy }) =>
        `${label}: ${latents[0] ?? notAvailable}` +
        (accuracy[0] === undefined ? '' : ` (${number(accuracy[0].mean)})`),
    )
    .join(' · ');

function tableOf({ name, saes }: ProbeResult, lang: Words['lang']): Block[] {
  const words = probeWords[lang];
  const found = saes.flatMap(({ sae, sparseProbing }) =>
    sparseProbing === null ? [] : [{ sae, ...sparseProbing }],
  );
  if (found.length === 0) return [];
  const sizes = [
    ...new Set(found.flatMap(({ latents }) => latents.top.map(({ k }) => k))),
  ].toSorted((a, b) => a - b);
  const row = (title: string, side: SparseProbing['latents'], last: string): Cell[] => [
    cell(title),
    ...sizes.map((k) => accuracyCell(side.top.find((one) => one.k === k)?.accuracy)),
    accuracyCell(side.all),
    cell(last),
  ];
  // SAEs of one place share the line of its activations.
  const seen = new Set<string>();
  const rows = found.flatMap(({ sae, latents, activations, labels }) => {
    const key = JSON.stringify(activations);
    const own = row(sae, latents, firstLatents({ latents, activations, labels }));
    if (seen.has(key)) return [own];
    seen.add(key);
    return [own, row(words.activationsOf(sae), activations, '–')];
  });
  return [
    {
      kind: 'table',
      table: {
        caption: words.caption(name),
        numeric: true,
        head: [words.sae, ...sizes.map((k) => words.latents(k)), words.allLatents, words.best],
        meanings: [
          null,
          ...sizes.map((k) => words.meaning(k)),
          words.meaning(null),
          words.bestMeaning,
        ],
        rows,
      },
    },
  ];
}

type Sae = ProbeResult['saes'][number];
type Top = readonly {
  latents: number;
  score: { mean: number; ci95: [number, number] | null };
}[];

/** A table of scores by the number of latents at zero, after some columns of its own. */
function scoresTable(
  { caption, head }: { caption: string; head: readonly string[] },
  entries: readonly { cells: Cell[]; top: Top }[],
  lang: Words['lang'],
): Block {
  const words = probeWords[lang];
  const sizes = [
    ...new Set(entries.flatMap(({ top }) => top.map(({ latents }) => latents))),
  ].toSorted((a, b) => a - b);
  return {
    kind: 'table',
    table: {
      caption,
      numeric: true,
      head: [...head, ...sizes.map((size) => words.zeroed(size))],
      rows: entries.map(({ cells, top }) => [
        ...cells,
        ...sizes.map((size) => {
          const found = top.find(({ latents }) => latents === size)?.score;
          return found === undefined ? cell(notAvailable) : cell(estimate(found), found.mean);
        }),
      ]),
    },
  };
}

function perturbationTable({ name, saes }: ProbeResult, lang: Words['lang']): Block[] {
  const words = probeWords[lang];
  const entries = saes.flatMap(({ sae, targetedPerturbation: found }: Sae) =>
    found === null
      ? []
      : [{ cells: [cell(sae), cell(number(found.clean), found.clean)], top: found.top }],
  );
  if (entries.length === 0) return [];
  const { caption, clean, line } = words.perturbation;
  return [
    scoresTable({ caption: caption(name), head: [words.sae, clean] }, entries, lang),
    paragraph(line),
  ];
}

function removalTable({ name, saes }: ProbeResult, lang: Words['lang']): Block[] {
  const words = probeWords[lang];
  const { caption, line, before, clean, direction } = words.removal;
  const all = saes.flatMap(({ sae, spuriousRemoval: found }: Sae) =>
    found === null ? [] : [{ sae, found }],
  );
  const [first] = all;
  if (first === undefined) return [];
  return [
    scoresTable(
      { caption: caption(name), head: [words.sae, before, clean] },
      all.map(({ sae, found }) => ({
        cells: [
          cell(`${sae} (${direction[found.direction]})`),
          cell(number(found.before), found.before),
          cell(number(found.clean), found.clean),
        ],
        top: found.top,
      })),
      lang,
    ),
    paragraph(line(first.found.biased)),
  ];
}

export function probesSection({ probes }: EvaluationResult, { lang }: Words): Block[] {
  if (probes === undefined) return [];
  const words = probeWords[lang];
  return [
    heading(2, words.title, 'concepts'),
    paragraph(words.line),
    ...(probes.every(({ saes }) => saes.length === 0) ? [paragraph(words.none)] : []),
    ...probes.flatMap((one) => [
      ...tableOf(one, lang),
      ...perturbationTable(one, lang),
      ...removalTable(one, lang),
      paragraph(
        `${one.name}: ` +
          words.documents(
            one.labels.map(({ label, documents }) => `${label} ${documents}`).join(', '),
            one.skippedRecords,
          ),
      ),
      ...one.saes.flatMap(({ sae, error }) =>
        error === null ? [] : [paragraph(words.failed(sae, error.message))],
      ),
    ]),
  ];
}
