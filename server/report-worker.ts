/** Worker thread of report-renderer.ts. */
import { parentPort } from 'node:worker_threads';
import { asSaeEvalError } from '../src/errors.js';
import { renderReport } from '../src/report/index.js';
import type { ReportAnswer, ReportJob } from './report-renderer.js';

parentPort!.on('message', ({ call, results, ...settings }: ReportJob) => {
  void renderReport(results.length === 1 ? results[0]! : results, {
    languageOfReader: false,
    ...settings,
  })
    .then(
      (text): ReportAnswer => ({ call, text }),
      (thrown: unknown): ReportAnswer => ({
        call,
        error: asSaeEvalError(thrown, 'The report').toJSON(),
      }),
    )
    .then((answer) => parentPort!.postMessage(answer));
});
