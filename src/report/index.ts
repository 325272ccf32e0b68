/** Reports of results: Markdown, HTML, JSON and CSV, in English and Chinese. */
import type { EvaluationResult, ReportFormat } from '../schema/index.js';
import { buildComparison, buildDocument, wordsOf, type Language } from './build.js';
import { renderCsv } from './csv.js';
import { renderMarkdown } from './markdown.js';

export type { ReportFormat };

/** Loads the chart library ahead of the first HTML report, which would load it otherwise. */
export async function preloadHtml(): Promise<void> {
  await import('./html.js');
}

/**
 * Renders the report of one result, or one comparison of several.
 *
 * @example
 * const text = await renderReport(result, { format: 'md', lang: 'en' });
 */
export async function renderReport(
  input: EvaluationResult | readonly EvaluationResult[],
  { format, lang = 'en' }: { format: ReportFormat; lang?: Language },
): Promise<string> {
  const results = Array.isArray(input)
    ? (input as readonly EvaluationResult[])
    : [input as EvaluationResult];
  if (format === 'json')
    return `${JSON.stringify(results.length === 1 ? results[0] : results, null, 2)}\n`;
  if (format === 'csv') return renderCsv(results);
  const document =
    results.length === 1 ? buildDocument(results[0]!, lang) : buildComparison(results, lang);
  if (format === 'md') return renderMarkdown(document);
  const { renderHtml } = await import('./html.js');
  const other: Language = lang === 'en' ? 'zh' : 'en';
  const inOther =
    results.length === 1 ? buildDocument(results[0]!, other) : buildComparison(results, other);
  return renderHtml(
    [document, inOther].map((one) => ({
      document: one,
      words: wordsOf[one.lang],
      name: wordsOf[one.lang === 'en' ? 'zh' : 'en'].otherLanguage,
    })),
  );
}
