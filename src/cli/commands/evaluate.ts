/** `sae-eval evaluate`: one evaluation in a child process, without a server. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluateIn } from '../../compute/evaluate.js';
import { ComputeProcess } from '../../compute/host.js';
import { validateRequest, type ValidatedRequest } from '../../evaluation/request/resolve.js';
import type { EvaluationResult, Progress } from '../../schema/index.js';
import { preloadHtml } from '../../report/index.js';
import { checkGate, parseGate, type Gate } from '../gate.js';
import { interruptions } from '../interruptions.js';
import { localeLanguage, type Language } from '../language.js';
import { finishFolder, journalIn, lockFolder, takeFolder } from '../out-folder.js';
import { ownJournal } from '../own-journal.js';
import { planTable } from '../plan-table.js';
import { progressDisplay } from '../progress-bar.js';
import { requestOf } from '../changed-request.js';
import type { RequestArguments } from '../request-arguments.js';
import { withDevice } from '../request-device.js';
import { countOf, type PlanFlags } from '../sharded-run.js';
import { judge, showResult } from '../show-result.js';
import { sizesTable } from '../sizes-table.js';
import { checkDevices, evaluateShards } from './evaluate-shards.js';
import { filesIn } from '../run-files.js';
import { writeReport } from '../write-report.js';
import { shown } from '../../shown-text.js';

export interface EvaluateFlags extends PlanFlags {
  out?: string;
  device?: string;
  /** Devices that share the run: `all`, or names separated by commas. */
  devices?: string;
  dtype?: string;
  lang?: Language;
  json?: boolean;
  /** Whether the first Ctrl-C keeps the numbers of the samples done; default false. */
  keepPartial?: boolean;
  /** A running compute process to use. */
  child?: ChildProcess;
}

/** Checks the gates and the folder of a request, before anything is computed. */
async function prepare(
  validated: ValidatedRequest,
  { out, overwrite = false, gates }: EvaluateFlags & { gates: readonly Gate[] },
): Promise<void> {
  for (const gate of gates) checkGate(gate, validated.request);
  if (out !== undefined) await takeFolder(out, validated, { overwrite });
}

/** Runs a request, writes its report, prints it and sets the exit code. */
export async function runRequest(
  input: unknown,
  { gates = [], ...flags }: EvaluateFlags & { gates?: readonly Gate[] },
): Promise<EvaluationResult> {
  const { out, child, json = false, lang = localeLanguage(), allowProgram = false } = flags;
  const compute = new ComputeProcess(child === undefined ? {} : { child });
  compute.prepare();
  const request = withDevice(input, flags);
  const progress = progressDisplay();
  const { stop, cancel, listen } = interruptions({ keepPartial: flags.keepPartial ?? false });
  let journal: string | null = null;
  let shards: string | null = null;
  let release = (): void => {};
  const unlisten = listen(() => shards ?? journal);
  try {
    const validated = await validateRequest(request, { allowProgram });
    checkDevices(validated.request, flags);
    release = out === undefined ? release : lockFolder(out);
    await prepare(validated, { ...flags, gates });
    if (out === undefined) ({ path: journal, release } = ownJournal(request));
    else journal = journalIn(out);
    const shared = {
      ...(out === undefined ? {} : filesIn(out)),
      onProgress: (at: Progress) => progress.update(at),
    };
    if (flags.devices !== undefined)
      shards =
        out ??
        (journal === null ? await mkdtemp(join(tmpdir(), 'sae-eval-')) : `${journal}.shards`);
    const evaluated =
      shards === null
        ? evaluateIn(compute, request, {
            signal: cancel,
            stop,
            ...(journal === null ? {} : { journal }),
            allowProgram,
            ...shared,
          })
        : evaluateShards(request, {
            ...flags,
            ...shared,
            devices: flags.devices!,
            folder: shards,
            compute,
            stop,
            cancel,
          });
    // Loads the charts while the other process computes; errors show when the report is written.
    if (out !== undefined) void preloadHtml().catch(() => {});
    const result = await evaluated;
    progress.stop();
    const written =
      out === undefined
        ? []
        : [
            ...(await writeReport(result, out)),
            ...Object.values(filesIn(out)).filter((path) => existsSync(path)),
          ];
    // A run that was stopped can be continued.
    if (result.status !== 'cancelled') {
      if (journal !== null) await rm(journal, { force: true });
      if (shards !== null && out === undefined) await rm(shards, { recursive: true, force: true });
    }
    showResult(result, { json, lang });
    const stream = json ? process.stderr : process.stdout;
    for (const path of written) stream.write(`wrote ${path}\n`);
    process.exitCode = judge(result, gates);
    return result;
  } finally {
    progress.stop();
    unlisten();
    await compute.close();
    // Without a journal there is nothing to continue.
    if (out !== undefined && journal !== null && !existsSync(journal)) await finishFolder(out);
    release();
  }
}

export async function evaluateCommand(
  arguments_: RequestArguments,
  { explain: explained = false, ...options }: EvaluateFlags & { explain?: boolean },
): Promise<void> {
  const gates = (arguments_.failIf ?? []).map(parseGate);
  const input = await requestOf(arguments_);
  if (!explained) {
    await runRequest(input, { ...options, gates });
    return;
  }
  const { explain } = await import('../../evaluation/run/plan/explain.js');
  const { shardSamples, ...rest } = options;
  const explanation = await explain(withDevice(input, options), {
    ...rest,
    shardSamples: countOf(shardSamples, '--shard-samples'),
  });
  process.stdout.write(shown(`${planTable(explanation)}\n${sizesTable(explanation.sizes)}\n`));
}
