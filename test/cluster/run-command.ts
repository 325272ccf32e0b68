/** A short command that must succeed, such as `ip link add …`. */
import { spawnSync } from 'node:child_process';

/** Standard output of a command. @throws with its words if it fails. */
export function runCommand(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}: ${stderr}`);
  return stdout;
}

/** The same for removing what may be gone already. */
export function tryCommand(command: string, ...args: readonly string[]): void {
  spawnSync(command, args, { stdio: 'ignore' });
}
