/** Programs that tests of a cluster need. Tests are skipped with a word where one is missing. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

// Debian keeps PostgreSQL's programs in a folder of each version.
const folders = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  ...['/usr/sbin', '/sbin', '/usr/lib/postgresql/15/bin', '/usr/lib/postgresql/17/bin'],
];

/** Path of a program; undefined where it is not installed. */
export function programPath(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Programs that hosts in network namespaces need. */
const forHosts = ['ip', 'nsenter', 'unshare'] as const;

/**
 * What is missing to run hosts in network namespaces with these programs besides: '' if nothing
 * is, else words for the name of a skipped test.
 */
export function missingFor(...programs: readonly string[]): string {
  const missing = [...forHosts, ...programs].filter((name) => programPath(name) === undefined);
  if (missing.length > 0) return ` (skipped without ${missing.join(', ')})`;
  return mayMakeHosts() ? '' : ' (skipped without root and its rights over networks and mounts)';
}

/** Whether this process may make networks and mounts; root in a container often may not. */
function mayMakeHosts(): boolean {
  if (process.getuid?.() !== 0) return false;
  const trial = 'ip link add trial type bridge && mount -t tmpfs tmpfs /tmp';
  const options = ['--net', '--uts', '--mount', 'sh', '-c', trial];
  return spawnSync('unshare', options, { stdio: 'ignore' }).status === 0;
}
