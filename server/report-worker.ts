/**
 * Worker thread of report-renderer.ts. It asks for the results of a report one after the other, so
 * that their texts are not in memory together, and reads them, which takes the server's thread no
 * time.
 */
import { parentPort } from 'node:worker_threads';
import { asSaeEvalError } from '../src/errors.js';
import { renderReport } from '../src/report/index.js';
import type { EvaluationResult } from '../src/schema/result.js';
import { damagedRecord, resultHash } from './jobs/checksums.js';
import type { FromReportThread, ReportSettings, ToReportThread } from './report-renderer.js';

let settings: ReportSettings = { format: 'md', lang: 'en' };
let count = 0;
let results: EvaluationResult[] = [];

const say = (message: FromReportThread): void => parentPort!.postMessage(message);

async function next(): Promise<void> {
  if (results.length < count) return say({ wants: results.length });
  const all = results;
  results = [];
  const text = await renderReport(all.length === 1 ? all[0]! : all, {
    languageOfReader: false,
    ...settings,
  });
  say({ text });
}

async function take(message: ToReportThread): Promise<void> {
  if ('count' in message) {
    ({ settings, count } = message);
    results = [];
  } else {
    const { id, text, hash } = message;
    if (hash !== null && hash !== resultHash(text)) throw damagedRecord(id);
    results.push(JSON.parse(text) as EvaluationResult);
  }
  await next();
}

parentPort!.on('message', (message: ToReportThread) => {
  void take(message).catch((thrown: unknown) => {
    results = [];
    say({ error: asSaeEvalError(thrown, 'The report').toJSON() });
  });
});
