/**
 * Set-up of SQLite for a Node that has none of its own: the package better-sqlite3 is installed
 * into the cache unless it is there, and its own install script makes its native part.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SaeEvalError } from '../errors.js';
import { withLock } from '../torch/setup/lock.js';
import type { SetupLog } from '../torch/setup/log.js';
import { packageRoot } from '../torch/setup/paths.js';
import { findProgram, runProgram } from '../torch/setup/program.js';
import { ownFolder, packageFolder } from './better-sqlite3.js';
import { nodeSqlite } from './node-sqlite.js';

/**
 * Makes SQLite ready, if anything is to be made.
 * @throws SaeEvalError `setup-missing` with what npm said.
 */
export async function setUpSqlite({ log }: { log: SetupLog }): Promise<void> {
  if (nodeSqlite() !== null || (await loads(packageFolder()))) return;
  await withLock(
    `${ownFolder()}.lock`,
    async () => {
      const folder = packageFolder() ?? (await install(log));
      if (await loads(folder)) return;
      log(`building the native part of better-sqlite3 in ${folder}, about a minute`, 'line');
      await npm(folder, ['run', 'install']);
      if (!(await loads(folder))) throw failed(`${folder} does not load after it was built`);
    },
    { onWait: () => log('waiting for another set-up to finish', 'line') },
  );
}

/** Whether the package in a folder opens a database, in a process of its own. */
async function loads(folder: string | null): Promise<boolean> {
  if (folder === null) return false;
  const script = "new (require(process.argv[1]))(':memory:').close()";
  return (await runProgram(process.execPath, ['-e', script, folder])).code === 0;
}

/** Installs the package without running anything of it. Returns its folder. */
async function install(log: SetupLog): Promise<string> {
  const folder = ownFolder();
  const manifest = createRequire(import.meta.url)(join(packageRoot, 'package.json')) as {
    peerDependencies: { 'better-sqlite3': string };
  };
  const wanted = `better-sqlite3@${manifest.peerDependencies['better-sqlite3']}`;
  log(`Node ${process.versions.node} has no SQLite: installing ${wanted} in ${folder}`, 'line');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true }\n');
  await npm(folder, ['install', '--ignore-scripts', '--no-audit', '--no-fund', wanted]);
  return packageFolder() ?? join(folder, 'node_modules', 'better-sqlite3');
}

async function npm(folder: string, args: readonly string[]): Promise<void> {
  const program = findProgram('npm');
  if (program === null) throw failed('npm is not on the PATH');
  const result = await runProgram(program, ['--prefix', folder, ...args]);
  if (result.code === 0) return;
  const lines = result.output.split('\n').map((line) => line.trim());
  const telling = lines.find((line) => /not found|No such file|\berror:|ENOTFOUND/i.test(line));
  throw failed(telling ?? lines.findLast((line) => line !== '') ?? 'npm said nothing');
}

function failed(reason: string): SaeEvalError {
  return new SaeEvalError(
    'setup-missing',
    `better-sqlite3, which keeps the server's store on Node ${process.versions.node}, could not ` +
      `be made ready (${reason}): use Node 22.13 or later, which needs none, or install a ` +
      'compiler, make and python3 and run `npx sae-eval setup` again. Everything but the server ' +
      'works without it.',
  );
}
