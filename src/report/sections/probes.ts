/** What probes find on the labelled data sets of a run. */
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

export function probesSection({ probes }: EvaluationResult, { lang }: Words): Block[] {
  if (probes === undefined) return [];
  const words = probeWords[lang];
  return [
    heading(2, words.title, 'concepts'),
    paragraph(words.line),
    ...(probes.every(({ saes }) => saes.length === 0) ? [paragraph(words.none)] : []),
    ...probes.flatMap((one) => [
      ...tableOf(one, lang),
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
