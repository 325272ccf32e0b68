/** Builds documents in one language from results. */
import type { EvaluationResult } from '../schema/index.js';
import { differingFields } from './comparable.js';
import { heading, paragraph, type Block, type Document } from './document.js';
import type { Words } from './language/words.js';
import { en } from './language/en.js';
import { zh } from './language/zh.js';
import { absorptionSection } from './sections/absorption.js';
import { appendixSections, configurationSection, modelsSection } from './sections/about.js';
import { chartsSection } from './sections/charts.js';
import { lossesSection } from './sections/losses.js';
import { dictionariesSection } from './sections/dictionaries.js';
import { differencesSection } from './sections/differences.js';
import { findingsSection } from './sections/findings.js';
import { latentsSection } from './sections/latents.js';
import { peersSection } from './sections/peers.js';
import { probesSection } from './sections/probes.js';
import { perLayerSection, resultsSection, saeTable } from './sections/results.js';
import { summarySection } from './sections/summary.js';
import { sweepSections } from './sections/sweeps.js';

export type Language = 'en' | 'zh';

export const wordsOf: Record<Language, Words> = { en, zh };

/** The report of one evaluation. */
export function buildDocument(result: EvaluationResult, lang: Language): Document {
  const words = wordsOf[lang];
  const { name } = result.config;
  const title = name === undefined ? words.title : `${name} · ${words.title}`;
  return {
    title,
    lang,
    blocks: [
      heading(1, title),
      ...summarySection(result, words),
      ...findingsSection(result, words),
      ...resultsSection(result, words),
      ...peersSection(result, words),
      ...lossesSection(result, words),
      ...chartsSection(result, words),
      ...differencesSection(result, words),
      ...dictionariesSection(result, words),
      ...latentsSection(result, words),
      ...probesSection(result, words),
      ...absorptionSection(result, words),
      ...perLayerSection(result, words),
      ...sweepSections(result, words),
      ...modelsSection(result, words),
      ...configurationSection(result, words),
      ...appendixSections(result, words),
    ],
  };
}

/** Compares evaluations: their SAEs side by side, then the sections of each evaluation. */
export function buildComparison(results: readonly EvaluationResult[], lang: Language): Document {
  const words = wordsOf[lang];
  const all = results.flatMap((run, index) => run.results.map((sae) => ({ sae, run, index })));
  const repeated = new Set(all.map(({ sae }) => sae.label)).size < all.length;
  const names = all.map(({ sae, index }) => (repeated ? `${sae.label} @${index + 1}` : sae.label));
  const protocols = (['reference', 'strict'] as const).filter((protocol) =>
    results.some(({ config }) => config.protocol.includes(protocol)),
  );
  const blocks: Block[] = [
    heading(1, words.several),
    {
      kind: 'list',
      items: results.map(
        ({ id, createdAt, config, data }, index) =>
          `@${index + 1} ${config.name ?? id} · ${createdAt} · ${config.model} · ` +
          `${config.dataset.path} · ${data.samples} × ${config.dataset.seqLen}`,
      ),
    },
    ...protocols.flatMap((protocol): Block[] => {
      const differing = differingFields(
        results.filter(({ config }) => config.protocol.includes(protocol)),
        protocol,
      );
      return [
        heading(2, words.resultsUnder(protocol), `results-${protocol}`),
        paragraph(words.protocolLine[protocol]),
        ...(differing.length === 0
          ? []
          : [
              paragraph(words.notComparable(differing.map((field) => words.field[field] ?? field))),
            ]),
        {
          kind: 'table',
          table: saeTable(all, protocol, words, { names, markBest: differing.length === 0 }),
        },
      ];
    }),
    ...results.flatMap((result, index) => [
      heading(2, `@${index + 1}`, `run-${index + 1}`),
      ...summarySection(result, words).slice(1),
      ...configurationSection(result, words).slice(1),
      ...lossesSection(result, words).slice(1),
      ...findingsSection(result, words).slice(1),
    ]),
  ];
  return { title: words.several, lang, blocks };
}
