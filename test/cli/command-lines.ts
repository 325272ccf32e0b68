/** Command lines for tests: several in one process, which starts once. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface Answer {
  status: number;
  stdout: string;
  stderr: string;
}

const script = fileURLToPath(new URL('command-lines.mjs', import.meta.url));

/** Runs command lines one after the other. The streams are no terminal. */
export async function commandLines(
  lines: readonly (readonly string[])[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<Answer[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(lines)], {
    cwd,
    env: { ...process.env, LC_ALL: 'C', ...env },
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout) as Answer[];
}
