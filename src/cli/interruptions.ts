/** Ctrl-C and SIGTERM: what the first and the next do to an evaluation. */
import { existsSync } from 'node:fs';
import { SaeEvalError } from '../errors.js';

/** The first signal may only stop the run, the next cancels it. */
export function interruptions({ keepPartial }: { keepPartial: boolean }): {
  stop: AbortSignal;
  cancel: AbortSignal;
  /** @param journal path of what is kept, once there is one. */
  listen(journal: () => string | null): () => void;
} {
  const [stop, cancel] = [new AbortController(), new AbortController()];
  return {
    stop: stop.signal,
    cancel: cancel.signal,
    listen(journal) {
      const onSignal = (signal: NodeJS.Signals): void => {
        if (keepPartial && !stop.signal.aborted) {
          process.stderr.write('Stopping; the report will be of the samples done.\n');
          stop.abort();
          return;
        }
        unlisten(); // A further one ends the process.
        const path = journal();
        const continues =
          path !== null && existsSync(path)
            ? ' What was computed is kept: the same command continues it.'
            : '';
        // Whoever ends a process by SIGTERM may want it elsewhere; Ctrl-C is a person's will.
        const [code, sentence] =
          signal === 'SIGTERM'
            ? (['preempted', 'The process was asked to end.'] as const)
            : (['cancelled', 'The evaluation was cancelled.'] as const);
        cancel.abort(new SaeEvalError(code, `${sentence}${continues}`));
      };
      const unlisten = (): void => {
        process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
      };
      process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
      return unlisten;
    },
  };
}
