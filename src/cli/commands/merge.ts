/** `sae-eval merge`: the result of a run in shards, from its folder alone. */
import { existsSync } from 'node:fs';
import { FolderStore } from '../../evaluation/shards/folder-store.js';
import { merge } from '../../evaluation/shards/merge.js';
import { checkGate, parseGate } from '../gate.js';
import { localeLanguage, type Language } from '../language.js';
import { judge, showResult } from '../show-result.js';
import { filesIn } from '../run-files.js';
import { writeReport } from '../write-report.js';

export interface MergeFlags {
  /** Whether the numbers may be of the shards that are there. */
  allowMissing?: boolean;
  json?: boolean;
  failIf?: string[];
  lang?: Language;
}

/** Writes the report beside the shards, prints the result and sets the exit code. */
export async function mergeCommand(
  folder: string,
  { allowMissing = false, json = false, failIf = [], lang = localeLanguage() }: MergeFlags,
): Promise<void> {
  const gates = failIf.map(parseGate);
  const store = new FolderStore(folder);
  const plan = store.plan();
  if (plan !== null) for (const gate of gates) checkGate(gate, plan.request);
  const files = filesIn(folder);
  const result = await merge(store, { allowMissing, ...files });
  const written = [
    ...(await writeReport(result, folder)),
    ...Object.values(files).filter((path) => existsSync(path)),
  ];
  showResult(result, { json, lang });
  const stream = json ? process.stderr : process.stdout;
  for (const path of written) stream.write(`wrote ${path}\n`);
  process.exitCode = judge(result, gates);
}
