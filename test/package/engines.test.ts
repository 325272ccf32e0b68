/**
 * The Node versions that installed packages admit: all from 22 on, and on Node 20, which the
 * package admits too, all but those that the install guide names.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const semver = createRequire(import.meta.url)('semver') as {
  minVersion(range: string): { major: number; version: string } | null;
  satisfies(version: string, range: string): boolean;
};
const root = resolve(import.meta.dirname, '../..');
const read = (path: string): unknown => JSON.parse(readFileSync(resolve(root, path), 'utf8'));

interface Manifest {
  engines?: { node?: string };
}

/** Packages of an installation that refuse a version of Node. */
function refusing(version: string): string[] {
  const { packages } = read('package-lock.json') as {
    packages: Record<string, Manifest & { dev?: boolean; optional?: boolean }>;
  };
  const installed = Object.entries(packages).filter(
    ([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true,
  );
  expect(installed.length).toBeGreaterThan(50);
  return installed.flatMap(([path, locked]) => {
    const declared = (read(`${path}/package.json`) as Manifest).engines?.node;
    const ranges = [locked.engines?.node, declared].filter((range) => range !== undefined);
    const name = path.split('node_modules/').at(-1)!;
    return ranges.every((range) => semver.satisfies(version, range)) ? [] : [name];
  });
}

it('every installed package admits Node 22 and 24', () => {
  expect(refusing('22.13.0')).toEqual([]);
  expect(refusing('24.0.0')).toEqual([]);
});

it('the install guide names those that refuse the lowest Node of `engines`', () => {
  const { engines } = read('package.json') as Required<Manifest>;
  const guide = readFileSync(resolve(root, 'docs/guide/install.md'), 'utf8');
  const [, named = ''] = /two packages that the server depends on \(([^)]*)\)/.exec(guide) ?? [];
  const names = [...named.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  expect(refusing(semver.minVersion(engines.node!)!.version).sort()).toEqual(names.sort());
});

it('the documents name the same version', () => {
  const { engines } = read('package.json') as Required<Manifest>;
  const { major } = semver.minVersion(engines.node!)!;
  for (const file of ['README.md', 'docs/guide/install.md', 'docs/reference/client.md']) {
    const text = readFileSync(resolve(root, file), 'utf8');
    const named = [...text.matchAll(/\bNode(?:\.js)? \(?(\d+)(?:\.\d+)? or later/g)];
    expect(
      named.map(([, version]) => Number(version)),
      file,
    ).toEqual([major]);
  }
  const image = readFileSync(resolve(root, 'deploy/Dockerfile'), 'utf8');
  for (const [, version] of image.matchAll(/^FROM node:(\d+)/gm))
    expect(Number(version)).toBeGreaterThanOrEqual(major);
});
