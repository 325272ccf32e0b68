/**
 * `npm run test:memcheck`: reads the test files of every format (pickle, zip, NumPy, safetensors)
 * with valgrind's memcheck, whole and cut after each eighth, and every number of their tensors.
 * An error in the addon's own code fails it; others are counted by library. The log is
 * bench/results/memcheck.log.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readers = fileURLToPath(new URL('./read-files.mjs', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-memcheck-'));
const report = join(folder, 'report');
const { status, stdout } = spawnSync(
  'valgrind',
  [
    ...['--error-limit=no', '--num-callers=40', `--log-file=${report}`],
    ...[process.execPath, readers, folder],
  ],
  { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
);
// The frames of an error have a form of their own: "   at 0x…: name (in file)".
const errors = readFileSync(report, 'utf8')
  .replaceAll(/^==\d+== ?(Warning: .*\n)?/gm, '')
  .split(/\n\s*\n/)
  .filter((text) => /^ {3}at 0x/m.test(text));
rmSync(folder, { recursive: true });
/** The library of the innermost frame; its source file if that is known. */
const libraryOf = (text) =>
  /^ {3}at .*\((?:in \S*\/)?([^/)]+)\)/m.exec(text)?.[1] ?? 'generated code';
const ofAddon = errors.filter((text) => /^(sae_eval\.node|.*\.cc:)/.test(libraryOf(text)));
const others = new Map();
for (const text of errors.filter((one) => !ofAddon.includes(one))) {
  const what = `${libraryOf(text)}: ${text.trim().split('\n')[0]}`;
  others.set(what, (others.get(what) ?? 0) + 1);
}
const lines = [
  spawnSync('valgrind', ['--version'], { encoding: 'utf8' }).stdout.trim(),
  stdout.trim(),
  ...[...others].map(([what, count]) => `others, ${count} places: ${what}`),
  ...ofAddon.map((text) => `the addon: ${text}`),
  status === 0 && ofAddon.length === 0 ? 'passed' : 'FAILED',
];
writeFileSync(join(root, 'bench/results/memcheck.log'), `${lines.join('\n')}\n`);
console.log(lines.join('\n'));
process.exitCode = lines.at(-1) === 'passed' ? 0 : 1;
