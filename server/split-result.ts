/** A stored result, divided into the results of its SAEs. */
import type { EvaluationResult } from '../src/schema/result.js';
import { damagedRecord, resultHash } from './jobs/checksums.js';
import type { ResultText } from './result-readers.js';

/** @throws SaeEvalError `storage-damaged`. */
export function readResult({ id, text, hash }: ResultText): EvaluationResult {
  if (hash !== null && hash !== resultHash(text)) throw damagedRecord(id);
  return JSON.parse(text) as EvaluationResult;
}

/** The results of the SAEs, each as JSON. */
export const splitResult = ({ results }: EvaluationResult): string[] =>
  results.map((one) => JSON.stringify(one));
