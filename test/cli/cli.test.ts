/** The commands of the CLI as processes: output, files, exit codes, and a run that is killed. */
import { spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, statSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { root, shipped } from '../golden/load.js';
import { commandLines, type Answer } from './command-lines.js';

const main = `${root}dist/src/cli/main.js`;
const environment = { ...process.env, LC_ALL: 'C' };
const cli = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    cwd: folder,
    env: environment,
  });
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
const whole = (): string => join(folder, 'runs', 'whole');
const requestFile = (): string => join(folder, 'request.json');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-cli-'));
  write('request.json', request);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('evaluate', () => {
  it('prints the summary and the tables, writes every format, keeps progress off stdout', () => {
    const { status, stdout, stderr } = cli('evaluate', requestFile(), '--out', whole());
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^Summary\n {2}2 SAEs on tiny-llama/);
    expect(stdout).toMatch(/NormMSE ↓.*MLSAE|MLSAE.*NormMSE ↓/s);
    expect(stdout).toMatch(/KL per token ↓ .*\[0\.\d+, 0\.\d+\]/); // intervals: there is room
    expect(stdout).not.toContain('\u001b['); // no color without a terminal
    expect(stderr).toMatch(/evaluated 24\/24 samples/);
    for (const name of ['report.json', 'report.md', 'report.zh.md', 'report.html', 'report.csv'])
      expect(existsSync(join(whole(), name)), name).toBe(true);
    for (const name of ['.journal', '.request.json'])
      expect(existsSync(join(whole(), name)), name).toBe(false);
    const modeOf = (name: string): number => statSync(join(whole(), name)).mode;
    expect(modeOf('sums.safetensors')).toBe(modeOf('report.json'));
    expect(resultIn(whole()).status).toBe('succeeded');
  });

  it('continues with the same bits after kill -9', async () => {
    const cut = join(folder, 'cut');
    const args = [main, 'evaluate', requestFile(), '--out', cut];
    const child: ChildProcess = spawn(process.execPath, args, { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (!existsSync(join(cut, '.journal')) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(join(cut, 'report.json'))).toBe(false);
    const other = cli('evaluate', requestFile(), '--out', cut, '--set', 'seed=1');
    expect(other.status).toBe(2);
    expect(other.stderr).toMatch(/holds an unfinished run of another request .*differs in seed/);
    expect(cli('evaluate', requestFile(), '--out', cut).status).toBe(0);
    expect(resultIn(cut).results).toEqual(resultIn(whole()).results);
    expect(resultIn(cut).comparisons).toEqual(resultIn(whole()).comparisons);
  });

  it('ends with 75 if the process is asked to end, and keeps what it computed', async () => {
    const out = join(folder, 'asked');
    const long = ['--out', out, '--set', 'dataset.maxSamples=5000'];
    const child = spawn(process.execPath, [main, 'evaluate', requestFile(), ...long], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: environment,
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += String(text)));
    while (!existsSync(join(out, '.journal')) && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGTERM');
    expect(await ended, stderr).toBe(75);
    expect(stderr).toMatch(/asked to end\. What was computed is kept: the same command/);
    expect(existsSync(join(out, '.journal'))).toBe(true);
  });

  it('reports on the samples done if it is asked to and Ctrl-C stops it', async () => {
    const out = join(folder, 'stopped');
    const flags = ['--out', out, '--keep-partial', '--set', 'dataset.maxSamples=5000'];
    const child = spawn(process.execPath, [main, 'evaluate', requestFile(), ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true, // a group of its own, which Ctrl-C in a terminal reaches as a whole
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    let stderr = '';
    for await (const text of child.stderr) {
      const wasRunning = stderr.includes('evaluated');
      stderr += String(text);
      if (!wasRunning && stderr.includes('evaluated')) process.kill(-child.pid!, 'SIGINT');
    }
    expect(await ended, stderr).toBe(1);
    const { status, stopped, data } = resultIn(out);
    expect([status, stopped]).toEqual(['cancelled', true]);
    expect(data.samples).toBeGreaterThan(0);
    expect(data.samples).toBeLessThan(5000);
  });

  it('reads YAML from standard input, prints JSON alone, and ends with 3 if a gate fires', () => {
    const yaml =
      `model: ${request.model}\ndataset: { path: ${request.dataset.path}, seqLen: 16 }\n` +
      `saes:\n  - { kind: TopK, checkpoint: ${request.saes[0]!.checkpoint}, layer: 16 }\n`;
    const flags = "--set saes.0.k=8 dataset.maxSamples=4 --name 'at k = 8' --json";
    const gates = "--fail-if 'TopK.strict.L0 == 8' '*.strict.NormMSE > 1e9'";
    const run = (rest: string): SpawnSyncReturns<string> =>
      spawnSync('bash', ['-c', `'${process.execPath}' '${main}' evaluate - ${flags} ${rest}`], {
        input: yaml,
        encoding: 'utf8',
        cwd: folder,
      });
    const { status, stdout, stderr } = run(gates);
    expect(status).toBe(3);
    const result = JSON.parse(stdout) as EvaluationResult;
    expect(result.config).toMatchObject({ name: 'at k = 8', saes: [{ k: 8 }] });
    expect(stderr).toMatch(
      /^sae-eval: --fail-if 'TopK.strict.L0 == 8' holds: TopK.strict.L0 is 8, the limit == 8$/m,
    );
    expect(stderr).not.toContain('1e9');
    // a reader that closes its end takes nothing from the exit code
    const closed = run(`${gates} | head -c 1; echo " \${PIPESTATUS[0]}"`);
    expect(closed.stdout).toBe('{ 3\n');
    expect(closed.stderr).not.toMatch(/EPIPE|^\s+at /m);
  });

  it('ends, with the process that was to compute, where the folder cannot be made', () => {
    const out = join(write('file', ''), 'out');
    const { status, stderr } = cli('evaluate', requestFile(), '--out', out);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^sae-eval: --out: .*a part of this path is a file\n$/);
  });
});

describe('what is wrong with a command line', () => {
  const wrong = (content: unknown, index: number): string => write(`wrong-${index}.json`, content);
  const faults: [string, unknown, RegExp][] = [
    ['a request that is not JSON', 'nonsense', /wrong-0\.json, line 1, column 1: not JSON: /],
    ['a list', [request], /^sae-eval: the request: expected an object, found a list\n$/],
    ['null', null, /^sae-eval: the request: expected an object, found null\n$/],
    [
      'data that are not there',
      { ...request, dataset: { path: 'nowhere' } },
      /^sae-eval: dataset\.path: nowhere: there is no such .*hf download nowhere/,
    ],
    [
      'a field that no record has',
      { ...request, dataset: { ...request.dataset, textField: 'content' } },
      /^sae-eval: dataset\.textField: the records have no field `content`; they have `text`/,
    ],
    [
      'a wrong layer',
      { ...request, saes: [{ ...request.saes[0], layer: 17 }] },
      /^sae-eval: saes\[0\]\.layer: expected 1…16.*found 17$/m,
    ],
    ['a missing model', { ...request, model: 'nowhere' }, /^sae-eval: model: .*nowhere/m],
    [
      'a device that is not there',
      { ...request, device: 'cuda:3' },
      /^sae-eval: device: expected one of cpu/m,
    ],
  ];
  const lines: [string[], RegExp][] = [
    [['evaluate'], /expected a file with the request/],
    [['eval', 'x'], /^sae-eval: unknown command 'eval'; did you mean evaluate\?\n$/],
    [['lsit'], /^sae-eval: unknown command 'lsit'; did you mean list\?\n$/],
    [['no-such-command'], /^sae-eval: unknown command 'no-such-command'\n$/],
    [['evaluate', 'x', '--outt', 'y'], /^sae-eval: unknown option '--outt'; did you mean --out\?/],
    [['evaluate', 'requst.json'], /there is no such file; did you mean request.json\?/],
    [
      ['evaluate', 'request.json', '--set', 'saes.0.lable=1'],
      /'saes.0.lable' is not a field.*mean label\?/,
    ],
    [['evaluate', 'request.json', '--fail-if', 'TopK > 1'], /--fail-if 'TopK > 1': expected LABEL/],
    [
      ['evaluate', 'request.json', '--fail-if', 'Topk.strict.L0 > 1'],
      /no SAE of the request is labelled 'Topk'; did you mean TopK\?/,
    ],
    [
      ['evaluate', 'request.json', '--out', 'runs/whole', '--set', 'batchSize=5'],
      /holds the report of another run .*differs in batchSize.*--overwrite/,
    ],
    [['evaluate', 'bad.json', '--explain'], /saes: expected at least 1 item/],
    [['report', 'runs'], /report.json: there is no such report/],
    [['inspect', 'x.pt'], /x.pt: expected a .pt file/],
    [['inspect', shipped('tiny-llama')], /this is a language model/],
    [['submit', 'request.json'], /required option '--server <url>' not specified/],
    [['submit', 'request.json', '--server', 'nowhere'], /--server: expected an address/],
    [['keys', 'list'], /^sae-eval: unknown command 'list'; keys has add\n$/],
    [['db', 'chek'], /^sae-eval: unknown command 'chek'; did you mean check\?\n$/],
    [['evaluate', 'utf-16.json'], /utf-16\.json: expected UTF-8, found UTF-16/],
    [['evaluate', 'two.yaml'], /two\.yaml, line 3, column 1: not YAML: .*multiple documents/],
    [['report', 'request.json'], /request\.json: expected a result written by sae-eval/],
    [['serve', '--port', '0', '--api-keys', 'request.json'], /keys is missing; expected a list/],
  ];
  let answers: Answer[];
  beforeAll(async () => {
    write('bad.json', { ...request, saes: [] });
    write('x.pt', 'no checkpoint');
    write('two.yaml', 'model: a\ndataset: b\n---\nmodel: c\n');
    writeFileSync(join(folder, 'utf-16.json'), Buffer.from('\ufeff{ "model": 1 }', 'utf16le'));
    const requests = faults.map(([, content], index) => ['evaluate', wrong(content, index)]);
    answers = await commandLines([...requests, ...lines.map(([line]) => line)], { cwd: folder });
  });

  it.each(
    [
      ...faults.map(([name, , message]) => [name, message] as const),
      ...lines.map(([line, message]) => [line.join(' ').replace(root, ''), message] as const),
    ].map(([name, message], index) => [name, message, index] as const),
  )('is told for %s, with exit code 2', (_, message, index) => {
    const { status, stdout, stderr } = answers[index]!;
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at |ENOENT/m);
  });
});

describe('other commands', () => {
  let answers: Answer[];
  const lines = {
    explain: ['evaluate', 'request.json', '--explain'],
    report: ['report', 'runs/whole', '--format', 'md', '--lang', 'zh'],
    several: ['report', 'runs/whole', 'runs/whole', '--out', 'both/report.md'],
    list: ['list'],
    listJson: ['list', 'runs', '--json'],
    inspect: ['inspect', shipped('RouteSAE_tiny.pt'), shipped('TopK_tiny.pt')],
    inspectJson: ['inspect', shipped('TopK_tiny.pt'), '--json'],
    inspectFolder: ['inspect', shipped('.')],
    partly: ['inspect', shipped('TopK_tiny.pt'), 'none.pt'],
    same: ['evaluate', 'request.json', '--out', 'runs/whole', '--name', 'again', '--lang', 'zh'],
  };
  const answer = (name: keyof typeof lines): Answer => answers[Object.keys(lines).indexOf(name)]!;
  beforeAll(async () => {
    write('runs/report.json', '{ "config": 1 }');
    answers = await commandLines(Object.values(lines), { cwd: folder });
  });

  it('explain the plan without computing it', () => {
    const { status, stdout, stderr } = answer('explain');
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
    const flops = 16 * (2 * (2 * 128 ** 2 + 2 * 128 * 64 + 3 * 128 * 384) + 4 * 128 * 16.5);
    expect(row(/clean pass/)[3]).toBe(`${(flops / 1e6).toPrecision(3)} MFLOP`);
    expect(stdout).toMatch(
      /in all [\d.]+ MFLOP per token; one forward pass for each SAE, metric and splice would take/,
    );
  });

  it('render stored results again', () => {
    expect(answer('report').status).toBe(0);
    // the stored report is of the run that `same` replaced, under another name
    expect(answer('report').stdout).toMatch(/^# /);
    expect(answer('several')).toMatchObject({ status: 0, stdout: '' });
    expect(readFileSync(join(folder, 'both/report.md'), 'utf8')).toContain('TopK @2');
  });

  it('write no report over a run’s result', () => {
    const before = readFileSync(join(whole(), 'report.json'));
    const { status, stderr } = cli(
      ...['report', whole(), '--format', 'html', '--out', join(whole(), 'report.json')],
    );
    expect([status, stderr]).toEqual([2, expect.stringMatching(/holds the result of a run/)]);
    expect(readFileSync(join(whole(), 'report.json')).equals(before)).toBe(true);
  });

  it('run the same request in the same folder again, in the language asked for', () => {
    const { status, stdout } = answer('same');
    expect([status, stdout.slice(0, 2)]).toEqual([0, '摘要']);
    expect(resultIn(whole()).config.name).toBe('again');
  });

  it('list runs and name damaged reports', () => {
    const { status, stdout, stderr } = answer('list');
    expect(status).toBe(0);
    expect(stdout).toMatch(/runs\/whole .* tiny-llama .* TopK, MLSAE .* succeeded/);
    expect(stderr).toMatch(/^sae-eval: left out: runs\/report.json: expected a result/);
    const [run, ...others] = JSON.parse(answer('listJson').stdout) as { path: string }[];
    expect(others).toEqual([]);
    expect(run).toMatchObject({
      path: 'runs/whole',
      status: 'succeeded',
      saes: [{ label: 'TopK', l0: 16 }, { label: 'MLSAE' }],
    });
  });

  it('say that a file is no folder of runs', () => {
    const { status, stderr } = cli('list', requestFile());
    expect([status, stderr]).toEqual([2, expect.stringMatching(/is a file; expected a folder/)]);
  });

  it('inspect files and folders', () => {
    const { status, stdout } = answer('inspect');
    expect(status).toBe(0);
    expect(stdout).toMatch(/router\.weight +float32 +\[9, 128\]/);
    expect(stdout).toMatch(/TopK_tiny\.pt: pt-zip/);
    const json = JSON.parse(answer('inspectJson').stdout) as object;
    expect(json).toMatchObject({
      format: 'pt-zip',
      candidates: ['TopK', 'MLSAE', 'Vanilla', 'RandomK'],
    });
    expect(answer('inspectFolder').stdout).toMatch(/Gated_tiny.pt .* Gated .* layer or hook/);
    expect(answer('partly')).toMatchObject({ status: 2 });
    expect(answer('partly').stdout).toContain('pt-zip');
    expect(answer('partly').stderr).toMatch(/^sae-eval: none.pt: there is no such/);
  });

  it('answer --help at once, and load nothing native', () => {
    const { status, stdout } = spawnSync(process.execPath, [main, '--help'], {
      encoding: 'utf8',
      env: { ...process.env, SAE_EVAL_ADDON: '/nonexistent' },
    });
    expect(status).toBe(0);
    for (const command of ['demo', 'evaluate', 'submit', 'serve', 'inspect', 'report', 'list'])
      expect(stdout).toContain(command);
  });
});

describe('an old Node', () => {
  it('is told, in words that it can read', () => {
    const { engines } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
      engines: { node: string };
    };
    const oldest = /^>=(\d+\.\d+)/.exec(engines.node)![1];
    const script =
      "Object.defineProperty(process.versions, 'node', { value: '18.20.4' });" +
      `import(${JSON.stringify(main)});`;
    const { status, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain(`expected Node.js ${oldest} or later, found 18.20.4`);
    // imported statically, a module that an old Node cannot read would fail before the check
    expect(readFileSync(main, 'utf8')).not.toMatch(/^import |\bawait\b|\?\?|\?\./m);
  });
});
