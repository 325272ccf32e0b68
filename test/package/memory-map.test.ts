/**
 * Only processes that compute map libtorch: not the server, not its inspectors, not the commands
 * that read and print, not the client. Read from the kernel's own list, /proc/PID/maps.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalClient } from '#src/client/index.js';
import { childProcesses, spawnServer, untilReady, type ServerProcess } from '../server/harness.js';
import { full } from '../full.js';

const root = resolve(import.meta.dirname, '../..');
const main = join(root, 'dist/src/cli/main.js');
const topK = join(root, 'checkpoints/TopK_tiny.pt');

/** Names of the native libraries of the project in a memory map. */
function nativeIn(maps: string): string[] {
  const names = maps.match(/[^/\n]*(?:libtorch|libc10|sae_eval\.node)[^/\n]*$/gm) ?? [];
  return [...new Set(names)];
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-maps-'));
  // Every Node process of a command, its children included, leaves its map as it ends.
  writeFileSync(
    join(folder, 'leave-map.mjs'),
    `import { readFileSync, writeFileSync } from 'node:fs';
    const leave = () => writeFileSync(process.env.MAPS + '/' + process.pid + '.maps',
      process.argv.join(' ') + '\\n' + readFileSync('/proc/self/maps', 'utf8'));
    process.on('exit', leave);`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

const leavingMaps = (maps: string): Record<string, string> => ({
  MAPS: maps,
  SAE_EVAL_PASS_ENV: 'MAPS',
  NODE_OPTIONS: `--import=file://${join(folder, 'leave-map.mjs')}`,
});
const mapsIn = (maps: string): string[] =>
  readdirSync(maps).map((name) => readFileSync(join(maps, name), 'utf8'));

/** Runs Node to its end: the map of each process, its command line in the first line. */
function mapsOf(...args: string[]): string[] {
  const maps = mkdtempSync(join(folder, 'run-'));
  const { status, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    cwd: root,
    env: { ...process.env, ...leavingMaps(maps) },
  });
  expect(status, stderr).toBe(0);
  const found = mapsIn(maps);
  expect(found.length).toBeGreaterThan(0);
  return found;
}

describe.skipIf(!existsSync('/proc/self/maps'))('libtorch is mapped', () => {
  it('by a program that computes, but not by one that imports the package', () => {
    const script = (body: string): string[] => [
      ...['--input-type=module', '-e'],
      `import { zeros } from 'sae-eval/torch'; import 'sae-eval'; ${body}`,
    ];
    const [imported] = mapsOf(...script(''));
    expect(nativeIn(imported!)).toEqual([]);
    const [computed] = mapsOf(...script('zeros([1]);'));
    expect(nativeIn(computed!)).toEqual(
      expect.arrayContaining(['sae_eval.node', expect.stringContaining('libtorch_cpu')]),
    );
  });

  it.each([
    ['--help', [main, '--help']],
    ['inspect', [main, 'inspect', topK]],
    ['the client', ['--input-type=module', '-e', "import 'sae-eval/client'"]],
  ])('not by %s', (_, args) => {
    expect(mapsOf(...args).flatMap(nativeIn)).toEqual([]);
  });

  it('not by report, whose numbers a process of its own has computed', () => {
    const out = join(folder, 'out');
    const request = join(folder, 'request.json');
    writeFileSync(
      request,
      JSON.stringify({
        model: join(root, 'checkpoints/tiny-llama'),
        dataset: { path: join(root, 'checkpoints/eval'), seqLen: 16, maxSamples: 2 },
        saes: [{ kind: 'TopK', checkpoint: topK, layer: 16, k: 16 }],
      }),
    );
    // The process that computes is killed by the command: it leaves no map.
    expect(mapsOf(main, 'evaluate', request, '--out', out).flatMap(nativeIn)).toEqual([]);
    expect(mapsOf(main, 'report', out).flatMap(nativeIn)).toEqual([]);
  });

  describe('while a server runs', () => {
    let server: ServerProcess;
    let maps: string;
    beforeAll(async () => {
      maps = mkdtempSync(join(folder, 'server-'));
      server = await spawnServer(folder, leavingMaps(maps));
      await untilReady(server.url);
    });
    afterAll(async () => {
      server.child.kill();
      await server.ended;
    });

    it.runIf(full)('by its compute process, not by the server or its inspectors', async () => {
      const client = new SaeEvalClient(server.url);
      expect((await client.checkpoints()).length).toBeGreaterThan(0);
      expect((await client.models()).length).toBeGreaterThan(0);
      expect((await client.devices()).length).toBeGreaterThan(0);
      expect(await client.inspect('checkpoints/TopK_tiny.pt')).toMatchObject({ format: 'pt-zip' });
      const mapped = (pid: number): string[] => nativeIn(readFileSync(`/proc/${pid}/maps`, 'utf8'));
      expect(mapped(server.child.pid!)).toEqual([]);
      const inspectors = mapsIn(maps).filter((map) => map.includes('inspect-child.js'));
      expect(inspectors.length).toBeGreaterThan(0);
      expect(inspectors.flatMap(nativeIn)).toEqual([]);
      const [compute] = childProcesses(server.child.pid!, 'compute/child.js');
      expect(mapped(compute!)).toContain('sae_eval.node');
    });
  });
});
