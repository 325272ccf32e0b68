/** Finds and runs the programs that set-up needs: a compiler, cmake, pip. */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface ProgramResult {
  code: number;
  stdout: string;
  /** Both streams in the order in which they arrived. */
  output: string;
}

/** Full path of the first of these programs on the PATH, or null. A name with a slash is a path. */
export function findProgram(...names: readonly string[]): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of names) {
    const candidates = name.includes('/') ? [name] : folders.map((folder) => join(folder, name));
    for (const path of candidates) if (isExecutable(path)) return path;
  }
  return null;
}

/**
 * Runs a program to its end, which comes at the latest when this process exits. The code is 127 if
 * the program cannot be started.
 */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; onLine?: (line: string) => void } = {},
): Promise<ProgramResult> {
  const child = spawn(path, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Messages are parsed: they must be in English.
    env: { ...process.env, ...options.env, LC_ALL: 'C' },
  });
  const endChild = (): void => void child.kill();
  process.once('exit', endChild);
  const stdout: string[] = [];
  const output: string[] = [];
  let rest = '';
  const take = (chunk: string): void => {
    output.push(chunk);
    const lines = (rest + chunk).split(/[\r\n]+/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') options.onLine?.(line);
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout.push(chunk);
    take(chunk);
  });
  child.stderr.setEncoding('utf8').on('data', take);
  try {
    const code = await new Promise<number>((resolve) => {
      child.on('error', (error) => {
        output.push(error.message);
        resolve(127);
      });
      child.on('close', (status) => resolve(status ?? 1));
    });
    return { code, stdout: stdout.join(''), output: output.join('') };
  } finally {
    process.off('exit', endChild);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
