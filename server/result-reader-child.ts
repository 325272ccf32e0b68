/**
 * The child process of result-readers.ts. It asks for the results of its task one after the other,
 * so that their texts are not in memory together.
 */
import { startWatchThread } from '../src/compute/watch-thread.js';
import { asSaeEvalError } from '../src/errors.js';
import { readLatents } from '../src/evaluation/latents/read-latents.js';
import { renderReport } from '../src/report/index.js';
import type { EvaluationResult } from '../src/schema/result.js';
import type { FromResultReader, ResultTask, ToResultReader } from './result-readers.js';
import { readResult, splitResult } from './split-result.js';

let task: ResultTask | null = null;
let results: EvaluationResult[] = [];

const say = (message: FromResultReader): void => void process.send!(message);

async function answerOf(wanted: ResultTask, all: EvaluationResult[]): Promise<unknown> {
  switch (wanted.type) {
    case 'latents':
      return readLatents(wanted.path, wanted.query);
    case 'split':
      return splitResult(all[0]!);
    case 'report':
      return renderReport(all.length === 1 ? all[0]! : all, {
        languageOfReader: false,
        ...wanted.settings,
      });
  }
}

async function next(wanted: ResultTask): Promise<void> {
  if (results.length < wanted.count) return say({ wants: results.length });
  const all = results;
  results = [];
  say({ answer: await answerOf(wanted, all) });
}

async function take(message: ToResultReader): Promise<void> {
  if ('task' in message) {
    ({ task } = message);
    results = [];
  } else results.push(readResult(message));
  await next(task!);
}

startWatchThread();
process.on('message', (message: ToResultReader) => {
  void take(message).catch((thrown: unknown) => {
    results = [];
    say({ error: asSaeEvalError(thrown, 'The result').toJSON() });
  });
});
