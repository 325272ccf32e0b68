/** The lowest Node that the package names is one that every package it installs admits. */
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

it('every installed package admits the lowest Node of `engines`', () => {
  const { engines } = read('package.json') as Required<Manifest>;
  const lowest = semver.minVersion(engines.node!)!.version;
  const { packages } = read('package-lock.json') as {
    packages: Record<string, Manifest & { dev?: boolean; optional?: boolean }>;
  };
  const installed = Object.entries(packages).filter(
    ([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true,
  );
  expect(installed.length).toBeGreaterThan(50);
  const refusing = installed.flatMap(([path, locked]) => {
    const declared = (read(`${path}/package.json`) as Manifest).engines?.node;
    const ranges = [locked.engines?.node, declared].filter((range) => range !== undefined);
    return ranges.every((range) => semver.satisfies(lowest, range)) ? [] : [path];
  });
  expect(refusing).toEqual([]);
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
