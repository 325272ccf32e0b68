/** Reports of results: Markdown, HTML, JSON and CSV, in English and Chinese. */
import type { EvaluationResult, ReportFormat } from '../schema/index.js';
import { buildComparison, buildDocument, wordsOf, type Language } from './build.js';
import type { Document } from './document.js';
import { renderCsv } from './csv.js';
import { renderMarkdown } from './markdown.js';
import { shownJson } from '../shown-text.js';

export type { ReportFormat };

/** Loads the chart library ahead of the first HTML report, which would load it otherwise. */
export async function preloadHtml(): Promise<void> {
  await import('./html.js');
}

/**
 * Renders the report of one result, or one comparison of several.
 *
 * @param options.lang language of the report; default English. An HTML report has both.
 * @param options.languageOfReader whether the reader's browser, or an earlier choice of the reader,
 *   decides which language an HTML report shows first; default: if `lang` is not given.
 * @example
 * const text = await renderReport(result, { format: 'md', lang: 'en' });
 */
export async function renderReport(
  input: EvaluationResult | readonly EvaluationResult[],
  {
    format,
    lang,
    languageOfReader = lang === undefined,
  }: { format: ReportFormat; lang?: Language; languageOfReader?: boolean },
): Promise<string> {
  const results = Array.isArray(input)
    ? (input as readonly EvaluationResult[])
    : [input as EvaluationResult];
  if (format === 'json') return `${shownJson(results.length === 1 ? results[0] : results)}\n`;
  if (format === 'csv') return renderCsv(results);
  const build = (language: Language): Document =>
    results.length === 1
      ? buildDocument(results[0]!, language)
      : buildComparison(results, language);
  const first = lang ?? 'en';
  if (format === 'md') return renderMarkdown(build(first));
  const { renderHtml } = await import('./html.js');
  const languages: readonly Language[] = first === 'en' ? ['en', 'zh'] : ['zh', 'en'];
  return renderHtml(
    languages.map((language) => ({ document: build(language), words: wordsOf[language] })),
    { languageOfReader },
  );
}
