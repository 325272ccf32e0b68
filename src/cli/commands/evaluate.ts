/** `sae-eval evaluate`: one evaluation in a child process, without a server. */
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { evaluateIn } from '../../compute/evaluate.js';
import { ComputeProcess } from '../../compute/host.js';
import type { EvaluationRequest, EvaluationResult } from '../../schema/index.js';
import { preloadHtml } from '../../report/index.js';
import { renderFindings, renderLosses, renderTable } from '../../report/terminal.js';
import { readJsonFile } from '../exit.js';
import { planTable } from '../plan-table.js';
import { progressDisplay } from '../progress-bar.js';
import { writeReport } from '../write-report.js';

export interface EvaluateFlags {
  out?: string;
  device?: string;
  dtype?: string;
  /** Whether the model may be a TorchScript program. */
  allowProgram?: boolean;
  /** A running compute process to use. */
  child?: ChildProcess;
}

/** The request with the options of the command line. */
function withOptions(
  input: unknown,
  { device, dtype }: Pick<EvaluateFlags, 'device' | 'dtype'>,
): EvaluationRequest {
  if (input === null || typeof input !== 'object' || Array.isArray(input))
    return input as EvaluationRequest; // Validation refuses it later.
  return {
    ...input,
    ...(device === undefined ? {} : { device }),
    ...(dtype === undefined ? {} : { dtype }),
  } as EvaluationRequest;
}

/** Path of the journal of a run without `--out`; the same command gives the same path. */
function journalBeside(request: unknown): string {
  const state = process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state');
  const key = createHash('sha256')
    .update(JSON.stringify([process.cwd(), request]))
    .digest('hex')
    .slice(0, 32);
  return join(state, 'sae-eval', `${key}.journal`);
}

/** Runs a request, writes its report, prints its table and sets the exit code. */
export async function runRequest(
  input: unknown,
  { out, child, allowProgram = false, ...options }: EvaluateFlags,
): Promise<EvaluationResult> {
  const request = withOptions(input, options);
  const journal = out === undefined ? journalBeside(request) : join(out, '.journal');
  await mkdir(resolve(journal, '..'), { recursive: true });
  const progress = progressDisplay();
  const cancel = new AbortController();
  const onSignal = (): void => cancel.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const evaluated = evaluateIn(
      new ComputeProcess(child === undefined ? {} : { child }),
      request,
      {
        signal: cancel.signal,
        journal,
        ...(out === undefined ? {} : { sums: join(out, 'sums.safetensors') }),
        allowProgram,
        onProgress: (at) => progress.update(at),
      },
    );
    // Loads the charts while the other process computes; errors show when the report is written.
    if (out !== undefined) void preloadHtml().catch(() => {});
    const result = await evaluated;
    progress.stop();
    const written =
      out === undefined ? [] : [...(await writeReport(result, out)), join(out, 'sums.safetensors')];
    await rm(journal, { force: true });
    for (const protocol of result.config.protocol)
      process.stdout.write(`${renderTable(result, { protocol, color: process.stdout.isTTY })}\n`);
    for (const line of renderFindings(result)) process.stdout.write(`${line}\n`);
    for (const line of renderLosses(result)) process.stderr.write(`${line}\n`);
    for (const { label, error } of result.results)
      if (error !== null) process.stderr.write(`sae-eval: ${label}: ${error.message}\n`);
    for (const path of written) process.stdout.write(`wrote ${path}\n`);
    process.exitCode = result.status === 'succeeded' ? 0 : 1;
    return result;
  } finally {
    progress.stop();
    process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
  }
}

export async function evaluateCommand(
  path: string,
  { explain: explained = false, ...options }: EvaluateFlags & { explain?: boolean },
): Promise<void> {
  const input = await readJsonFile(path);
  if (!explained) {
    await runRequest(input, options);
    return;
  }
  const { explain } = await import('../../evaluation/run/plan/explain.js');
  process.stdout.write(`${planTable(await explain(withOptions(input, options), options))}\n`);
}
