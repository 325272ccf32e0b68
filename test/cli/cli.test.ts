/** The commands of the CLI as processes: output, files, exit codes, and a run that is killed. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { root, shipped } from '../golden/load.js';

const main = `${root}dist/src/cli/main.js`;
const cli = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', cwd: folder });
let folder: string;

const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: 32, maxSamples: 24 },
  batchSize: 4,
  saes: [
    { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 },
    { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
  ],
};
const write = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
const resultIn = (out: string): EvaluationResult =>
  JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as EvaluationResult;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('evaluate', () => {
  it('prints the tables, writes every format, and keeps progress off stdout', () => {
    const out = join(folder, 'out');
    const { status, stdout, stderr } = cli(
      'evaluate',
      write('request.json', request),
      '--out',
      out,
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/NormMSE ↓.*MLSAE|MLSAE.*NormMSE ↓/s);
    expect(stdout).not.toContain('\u001b['); // no color without a terminal
    expect(stderr).toMatch(/evaluated 24\/24 samples/);
    for (const name of ['report.json', 'report.md', 'report.zh.md', 'report.html', 'report.csv'])
      expect(existsSync(join(out, name)), name).toBe(true);
    expect(existsSync(join(out, '.journal'))).toBe(false);
    expect(resultIn(out).status).toBe('succeeded');

    const again = cli('report', out, '--format', 'md', '--lang', 'zh');
    expect(again.status).toBe(0);
    expect(again.stdout).toBe(readFileSync(join(out, 'report.zh.md'), 'utf8'));
    expect(cli('report', out, out, '--format', 'md').stdout).toContain('TopK @2');
  });

  it('explains the plan without computing it', () => {
    const { status, stdout, stderr } = cli('evaluate', write('request.json', request), '--explain');
    expect(status, stderr).toBe(0);
    const row = (name: RegExp): string[] =>
      stdout
        .split('\n')
        .find((line) => name.test(line))!
        .split('│')
        .slice(1, -1)
        .map((cell) => cell.trim());
    expect(row(/clean pass/).slice(1, 3)).toEqual(['1', '16']);
    expect(row(/spliced at layer 16: TopK/)[1]).toBe('1');
    // reference splices MLSAE one block late: layers 4…12 under strict, 5…13 under reference share
    // all but the ends
    expect(row(/spliced at layer 13: MLSAE/).slice(1, 3)).toEqual(['1', '3']);
    expect(row(/final norm and head/)[1]).toBe('12');
    // 16 blocks of 2·(2·128² + 2·128·64 + 3·128·384) FLOPs and 4·128 for each of 16.5 keys
    expect(row(/clean pass/)[3]).toBe(
      '' +
        (
          (16 * (2 * (2 * 128 ** 2 + 2 * 128 * 64 + 3 * 128 * 384) + 4 * 128 * 16.5)) /
          1e6
        ).toPrecision(3) +
        ' MFLOP',
    );
    expect(stdout).toMatch(
      /in all [\d.]+ MFLOP per token; one forward pass for each SAE, metric and splice would take/,
    );
    expect(cli('evaluate', write('bad.json', { ...request, saes: [] }), '--explain').status).toBe(
      2,
    );
  });

  it('continues with the same bits after kill -9', async () => {
    const whole = join(folder, 'whole');
    const cut = join(folder, 'cut');
    const path = write('request.json', request);
    expect(cli('evaluate', path, '--out', whole).status).toBe(0);
    const child: ChildProcess = spawn(process.execPath, [main, 'evaluate', path, '--out', cut], {
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (!existsSync(join(cut, '.journal')) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(join(cut, 'report.json'))).toBe(false);
    expect(cli('evaluate', path, '--out', cut).status).toBe(0);
    expect(resultIn(cut).results).toEqual(resultIn(whole).results);
    expect(resultIn(cut).comparisons).toEqual(resultIn(whole).comparisons);
  });

  it.each([
    ['a request that is not JSON', 'nonsense', /wrong\.json, line 1, column 1: not JSON: /],
    [
      'a request that is a list',
      [request],
      /^sae-eval: the request: expected an object, found a list\n$/,
    ],
    ['a request that is null', null, /^sae-eval: the request: expected an object, found null\n$/],
    [
      'data that are not there',
      { ...request, dataset: { path: 'nowhere' } },
      /^sae-eval: dataset\.path: nowhere: there is no such .*hf download nowhere/,
    ],
    [
      'a wrong layer',
      { ...request, saes: [{ ...request.saes[0], layer: 17 }] },
      /^sae-eval: saes\[0\]\.layer: expected 1…16.*found 17$/m,
    ],
    ['a missing file', { ...request, model: 'nowhere' }, /^sae-eval: model: .*nowhere/m],
    [
      'a device that is not there',
      { ...request, device: 'cuda:3' },
      /^sae-eval: device: expected one of cpu/m,
    ],
  ])('ends with 2 and a line for %s', (_, content, message) => {
    const { status, stdout, stderr } = cli('evaluate', write('wrong.json', content));
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('ends, with the process that was to compute, where the folder cannot be made', () => {
    const { status, stderr } = cli(
      'evaluate',
      write('request.json', request),
      '--out',
      join(write('file', ''), 'out'),
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(/^sae-eval: --out: .*a part of this path is a file\n$/);
  });

  it('ends with 2 for arguments that are none', () => {
    expect(cli('evaluate').status).toBe(2);
    expect(cli('no-such-command').status).toBe(2);
    expect(cli('evaluate', join(folder, 'none.json')).status).toBe(2);
    expect(cli('report', folder).status).toBe(2);
  });
});

describe('inspect', () => {
  it('says what a file holds, what it can be and what it needs', () => {
    const { status, stdout } = cli('inspect', shipped('RouteSAE_tiny.pt'));
    expect(status).toBe(0);
    expect(stdout).toMatch(/router\.weight +float32 +\[9, 128\]/);
    expect(stdout).toMatch(/RouteSAE/);
    const json = JSON.parse(cli('inspect', shipped('TopK_tiny.pt'), '--json').stdout) as {
      candidates: string[];
      format: string;
    };
    expect([json.format, json.candidates]).toEqual([
      'pt-zip',
      ['TopK', 'MLSAE', 'Vanilla', 'RandomK'],
    ]);
    expect(cli('inspect', write('x.pt', 'no checkpoint')).status).toBe(2);
  });
});

describe('help', () => {
  it('is there, and loads nothing native', () => {
    const { status, stdout } = spawnSync(process.execPath, [main, '--help'], {
      encoding: 'utf8',
      env: { ...process.env, SAE_EVAL_ADDON: '/nonexistent' },
    });
    expect(status).toBe(0);
    for (const command of ['demo', 'evaluate', 'serve', 'inspect', 'report', 'keys', 'setup'])
      expect(stdout).toContain(command);
  });
});
