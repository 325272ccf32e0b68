/** The data of a run that was stopped before all samples were done. */
import type { Bilingual } from '../../bilingual.js';
import { SaeEvalError } from '../../errors.js';
import type { Sample, SampleSummary } from '../../data/index.js';

/**
 * The summary of the samples done, `left` being those of the last batch that were not, with a
 * warning that says so.
 * @throws SaeEvalError `cancelled` if no sample is done.
 */
export function stoppedAfter(
  samples: number,
  {
    summary,
    total,
    left,
  }: { summary: SampleSummary; total: number | null; left: readonly Sample[] },
): SampleSummary {
  if (samples === 0)
    throw new SaeEvalError(
      'cancelled',
      'The evaluation was stopped before a sample was done, so there is no result.',
    );
  const warning: Bilingual = {
    en:
      `The run was stopped after ${samples}${total === null ? '' : ` of ${total}`} samples; the ` +
      'numbers are those of these.',
    zh:
      `本次运行在完成 ${samples}${total === null ? '' : `/${total}`} 个样本后被停止，` +
      '所列数值仅基于这些样本。',
  };
  const notDone = left.reduce((sum, { truncated }) => sum + truncated, 0);
  return {
    ...summary,
    truncatedTokens: summary.truncatedTokens - notDone,
    warnings: [...summary.warnings, warning],
  };
}
