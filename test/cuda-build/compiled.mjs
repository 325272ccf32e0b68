/** Compiles and runs the small programs that ask the CUDA build something. */
import { spawnSync } from 'node:child_process';

/** Output of a program. @throws Error with its whole output if it fails. */
export function outputOf(program, args, options = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...options,
  });
  if (status === 0) return stdout;
  const ending = error?.message ?? signal ?? `status ${status}`;
  throw new Error(`${program} ended with ${ending}: ${stdout}${stderr}`);
}
