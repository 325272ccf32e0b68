/**
 * Labels, names and paths of others: the command line writes nothing that a terminal would obey.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shipped } from '../golden/load.js';
import { evaluationResult, saeResult } from '../report/fixture.js';
import { commandLines } from './command-lines.js';

const hostile = 'n\u001b[2J\u001b]0;owned\u0007\u009b31m\u202egnp.exe';
const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/u;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-text-'));
  mkdirSync(join(folder, 'run'));
  const results = [saeResult('TopK', { label: hostile, checkpoint: `${hostile}.pt` })];
  const result = evaluationResult({ results });
  result.config.name = hostile;
  writeFileSync(join(folder, 'run', 'report.json'), JSON.stringify(result));
  writeFileSync(join(folder, `${hostile}.pt`), 'no checkpoint');
  const sae = { kind: 'TopK', checkpoint: `${hostile}/none.pt`, layer: 16, k: 16, label: hostile };
  const request = { model: shipped('tiny-llama'), dataset: { path: shipped('eval') }, saes: [sae] };
  writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('shows escapes and direction characters in every command, and obeys none', async () => {
  const answers = await commandLines(
    [
      ['report', 'run', '--format', 'md'],
      ['report', 'run', '--format', 'json'],
      ['report', 'run', '--format', 'csv'],
      ['list', '.'],
      ['list', '.', '--json'],
      ['evaluate', 'request.json', '--out', 'out'],
      ['evaluate', `${hostile}.json`],
      ['inspect', `${hostile}.pt`],
      ['saes', '.'],
      ['report', hostile],
    ],
    { cwd: folder },
  );
  for (const [at, { stdout, stderr }] of answers.entries()) {
    const text = `${stdout}${stderr}`;
    expect(text.replaceAll(/\r?\n/g, ''), String(at)).not.toMatch(obeyed);
    expect(text, String(at)).not.toBe('');
  }
  expect(answers[0]!.stdout).toContain('gnp.exe');
  expect(answers[5]!.stderr).toContain('gnp.exe');
});
