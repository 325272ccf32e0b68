/** `sae-eval submit`: an evaluation on a server, by the client. */
import {
  ConnectionError,
  EvaluationFailedError,
  ProblemError,
  SaeEvalClient,
  UnauthorizedError,
} from '../../client/index.js';
import { SaeEvalError } from '../../errors.js';
import type { EvaluationRecord, EvaluationRequest } from '../../schema/index.js';
import { checkGate, parseGate, type Gate } from '../gate.js';
import { localeLanguage, type Language } from '../language.js';
import { progressDisplay } from '../progress-bar.js';
import { requestOf } from '../changed-request.js';
import type { RequestArguments } from '../request-arguments.js';
import { judge, showResult } from '../show-result.js';
import { say } from '../say.js';
import { shownJson } from '../../shown-text.js';

export interface SubmitFlags {
  server: string;
  wait?: boolean;
  json?: boolean;
  lang?: Language;
}

const keyVariable = 'SAE_EVAL_API_KEY';

/** An error of the client as the command line tells it. */
function asOwnError(thrown: unknown, server: string): unknown {
  if (thrown instanceof ProblemError) {
    const { code, message, fields } = thrown;
    const key = thrown instanceof UnauthorizedError ? ` (the key is read from ${keyVariable})` : '';
    return SaeEvalError.fromJSON({ code, message: `${message}${key}`, fields: [...fields] });
  }
  if (thrown instanceof ConnectionError)
    return new SaeEvalError('unavailable', `--server ${server}: ${thrown.message}`);
  return thrown;
}

/** The address without an end that the paths of the API bring. */
function addressOf(server: string): string {
  try {
    const { protocol } = new URL(server);
    if (protocol === 'http:' || protocol === 'https:') return server.replace(/\/+$/, '');
  } catch {
    // told below
  }
  throw new SaeEvalError(
    'request-invalid',
    `--server: expected an address such as http://localhost:8787, found '${server}'`,
  );
}

/** Waits for the end of an evaluation, with its progress. Ctrl-C leaves it running. */
async function waitFor(
  client: SaeEvalClient,
  { id }: EvaluationRecord,
  server: string,
): Promise<EvaluationRecord> {
  const progress = progressDisplay();
  const leave = new AbortController();
  const onSignal = (): void =>
    leave.abort(
      new SaeEvalError(
        'cancelled',
        `No longer waiting; evaluation ${id} goes on. To cancel it: ` +
          `curl -X DELETE ${server}/v1/evaluations/${id}` +
          (process.env[keyVariable] === undefined
            ? ''
            : ` -H "authorization: Bearer $${keyVariable}"`),
      ),
    );
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    for await (const event of client.watch(id, { signal: leave.signal }))
      if (event.event === 'progress' && event.data.progress !== null)
        progress.update(event.data.progress);
    return await client.get(id);
  } finally {
    progress.stop();
    process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
  }
}

/** Prints the result of an ended evaluation and sets the exit code. */
function showEnded(
  record: EvaluationRecord,
  { json = false, lang = localeLanguage(), gates }: SubmitFlags & { gates: readonly Gate[] },
): void {
  if (record.result === null)
    throw new SaeEvalError(
      record.status === 'cancelled' ? 'cancelled' : 'process-died',
      new EvaluationFailedError(record).message,
    );
  showResult(record.result, { json, lang });
  process.exitCode = judge(record.result, gates);
}

export async function submit(arguments_: RequestArguments, flags: SubmitFlags): Promise<void> {
  const server = addressOf(flags.server);
  const { failIf = [] } = arguments_;
  const gates = failIf.map(parseGate);
  if (gates.length > 0 && flags.wait !== true)
    throw new SaeEvalError('request-invalid', '--fail-if looks at a result: give --wait too');
  const request = await requestOf(arguments_);
  const apiKey = process.env[keyVariable];
  const client = new SaeEvalClient(server, apiKey === undefined ? {} : { apiKey });
  try {
    const record = await client.evaluate(request as EvaluationRequest);
    if (flags.wait !== true) {
      process.stdout.write(flags.json === true ? `${shownJson(record)}\n` : `${record.id}\n`);
      return;
    }
    say(`submitted ${record.id}`);
    for (const gate of gates) checkGate(gate, record.request);
    showEnded(await waitFor(client, record, server), { ...flags, gates });
  } catch (thrown) {
    throw asOwnError(thrown, server);
  }
}
