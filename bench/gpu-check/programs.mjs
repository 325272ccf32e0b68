/** Programs that checks start: PyTorch scripts on the same device, a compiler. */
import { spawnSync } from 'node:child_process';
import { skip } from './checks.mjs';

/** Skips the check unless Python has these modules. */
export function requireModules(python, modules) {
  const { status, stderr, error } = spawnSync(python, ['-c', `import ${modules.join(', ')}`], {
    encoding: 'utf8',
  });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim().split('\n').at(-1);
  skip(`${python} does not have ${modules.join(' and ')}: ${reason}`);
}

/** Output of a program. @throws Error with the last line that it wrote. */
export function outputOf(program, args, { env = {} } = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, ...env },
  });
  if (status === 0) return stdout;
  const last = error?.message ?? stderr.trim().split('\n').at(-1);
  throw new Error(`${program} ${args[0]} ended with ${signal ?? status}: ${last}`);
}
