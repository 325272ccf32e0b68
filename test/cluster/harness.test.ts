/**
 * The cluster that other tests run on: hosts are killed, cut off and frozen; Redis, PostgreSQL and
 * Slurm are the real programs. Counts in full runs only; tests that use the hosts would fail
 * without them anyway.
 */
import { Redis as RedisClient } from 'ioredis';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client as PostgresClient } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from './host.js';
import { missingFor } from './needed-programs.js';
import { Network } from './network.js';
import { Postgres } from './postgres.js';
import { Redis } from './redis.js';
import { runCommand } from './run-command.js';
import { Slurm, slurmPrograms } from './slurm.js';
import { full } from '../full.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-cluster-'));
chmodSync(folder, 0o711);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs these tests where the programs are; else their name says what is missing. */
function where(name: string, programs: readonly string[], tests: () => void): void {
  const missing = missingFor(...programs);
  describe.runIf(full && missing === '')(name + missing, tests);
}

where('hosts', [], () => {
  let network: Network;
  beforeAll(() => {
    network = new Network();
  });
  afterAll(() => network.close());

  /** Whether a host reaches this process. */
  async function reaches(host: Host): Promise<boolean> {
    const server = createServer((socket) => socket.end('hello')).listen(0, network.address);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const script = `
      const socket = require('net').connect(${port}, '${network.address}');
      socket.on('error', () => process.exit(1)).pipe(process.stdout);
      setTimeout(() => process.exit(1), 1000).unref();`;
    const { stdout } = await host.run(process.execPath, ['-e', script]);
    server.close();
    return stdout === 'hello';
  }

  it('have names and addresses of their own', async () => {
    const [a, b] = [network.addHost('a'), network.addHost('b')];
    expect((await a.run('hostname')).stdout).toBe('a\n');
    expect((await b.run('hostname')).stdout).toBe('b\n');
    expect((await a.run('ip', ['address', 'show', 'eth0'])).stdout).toContain(`${a.address}/24`);
    const command = await b.run('sh', ['-c', 'echo $WORD; exit 3'], { env: { WORD: 'word' } });
    expect(command).toMatchObject({ code: 3, stdout: 'word\n' });
  });

  it('are killed with all that runs in them', async () => {
    const host = network.addHost('c');
    const shell = host.start('sh', ['-c', 'sleep 100 & sleep 100']);
    while (host.processes().length < 3) await wait(5);
    await host.kill();
    expect(host.processes()).toEqual([]);
    expect(await shell.ended).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('are frozen and go on', async () => {
    const host = network.addHost('d');
    const counting = host.start('sh', ['-c', 'while :; do echo x; sleep 0.01; done']);
    const grows = async (): Promise<boolean> => {
      await wait(100);
      const { length } = counting.output();
      await wait(200);
      return counting.output().length > length;
    };
    expect(await grows()).toBe(true);
    host.freeze();
    expect(await grows()).toBe(false);
    host.thaw();
    expect(await grows()).toBe(true);
  });

  it('are cut off and come back', async () => {
    const host = network.addHost('e');
    expect(await reaches(host)).toBe(true);
    host.cut();
    expect(await reaches(host)).toBe(false);
    host.connect();
    expect(await reaches(host)).toBe(true);
  });

  it('leave nothing behind, nor does a run that was killed', async () => {
    const ended = spawn('true');
    await once(ended, 'exit');
    const killed = `${ended.pid}x0`;
    // Other files of tests make and remove networks at the same time.
    const names = (): string[] =>
      (runCommand('ip', 'netns', 'list') + runCommand('ip', '-br', 'link'))
        .split(/\s+/)
        .filter((name) => name.includes(`${process.pid}x`) || name.includes(killed));
    const before = names();
    mkdirSync(`/run/sae-eval-hosts/${killed}`);
    runCommand('ip', 'netns', 'add', `sae-eval-${killed}-a`);
    runCommand('ip', 'link', 'add', `sb${killed}`, 'type', 'bridge');
    const other = new Network();
    other.addHost('f').start('sleep', ['100']);
    expect(names().filter((name) => name.includes(killed))).toEqual([]);
    expect(names().length).toBeGreaterThan(before.length);
    other.close();
    expect(names()).toEqual(before);
  });
});

where('Redis', ['redis-server', 'redis-cli', 'openssl'], () => {
  let network: Network;
  beforeAll(() => {
    network = new Network();
  });
  afterAll(() => network.close());

  it.each([
    ['plain, in memory', {}],
    ['with a password and every write in a file', { appendOnly: true, password: 'a b/c' }],
    ['with TLS', { appendOnly: true, tls: true }],
  ])('%s: is killed and restarted, and loses its data', async (name, options) => {
    const host = network.addHost(`r${name.length}`);
    const redis = new Redis(host, mkdtempSync(join(folder, 'redis-')), options);
    await redis.start();
    const client = new RedisClient(redis.url, {
      ...(redis.tls === undefined ? {} : { tls: { ca: readFileSync(redis.tls.certificate) } }),
      retryStrategy: () => 20,
    });
    client.on('error', () => undefined);
    await client.set('key', 'value');
    expect(await redis.ask('get', 'key')).toBe('value');
    await redis.kill();
    await redis.start();
    expect(await client.get('key')).toBe('appendOnly' in options ? 'value' : null);
    await client.set('key', 'again');
    await redis.kill();
    redis.loseData();
    await redis.start();
    expect(await client.get('key')).toBeNull();
    client.disconnect();
  });
});

where('PostgreSQL', ['initdb', 'postgres', 'psql'], () => {
  it('is killed and restarted with its data', async () => {
    const network = new Network();
    try {
      const postgres = new Postgres(network.addHost('pg'), folder);
      await postgres.create();
      const connected = async (): Promise<PostgresClient> => {
        const client = new PostgresClient({ connectionString: postgres.url });
        client.on('error', () => undefined);
        await client.connect();
        return client;
      };
      const client = await connected();
      await client.query('create table t (x int); insert into t values (7)');
      await postgres.kill();
      await postgres.start();
      const again = await connected();
      expect((await again.query('select x from t')).rows).toEqual([{ x: 7 }]);
      expect(await postgres.ask('select version()')).toContain('PostgreSQL');
      await again.end();
    } finally {
      network.close();
    }
  });
});

where('Slurm', slurmPrograms, () => {
  let network: Network;
  let slurm: Slurm;
  let script: string;
  const lines = (): string[] =>
    readFileSync(join(folder, 'done'), 'utf8').trim().split('\n').sort();

  beforeAll(async () => {
    network = new Network();
    slurm = new Slurm(network, join(folder, 'slurm'));
    await slurm.start();
    script = join(folder, 'task.sh');
    writeFileSync(
      script,
      `#!/bin/sh\nsleep $1\necho "$SLURM_ARRAY_TASK_ID $(hostname)" >> ${join(folder, 'done')}\n`,
    );
  });
  afterAll(() => network.close());
  afterEach(() => rmSync(join(folder, 'done'), { force: true }));

  const submit = (seconds: number): Promise<number> =>
    slurm.submit(['--array=0-3', '--requeue', `--output=${folder}/task-%a`, script, `${seconds}`]);

  it('runs an array of tasks on two nodes', async () => {
    const tasks = await slurm.untilEnded(await submit(0.5));
    expect(tasks).toHaveLength(4);
    expect(new Set(tasks.map(({ state }) => state))).toEqual(new Set(['COMPLETED']));
    expect(lines().map((line) => line[0])).toEqual(['0', '1', '2', '3']);
    expect(new Set(lines().map((line) => line.slice(2)))).toEqual(new Set(['node1', 'node2']));
  });

  it('says how a task failed', async () => {
    const job = await slurm.submit(['--wrap', 'exit 75', '--output', '/dev/null']);
    expect(await slurm.untilEnded(job)).toMatchObject([{ state: 'FAILED', exitCode: 75 }]);
  });

  it('runs the tasks of a killed node again', async () => {
    const job = await submit(2);
    const [node] = slurm.nodes;
    while ((await slurm.idleNodes()) > 0) await wait(50);
    await wait(300);
    await slurm.killNode(node!);
    await slurm.reviveNode(node!);
    const tasks = await slurm.untilEnded(job);
    expect(tasks.every(({ state }) => state === 'COMPLETED')).toBe(true);
    expect(tasks.reduce((sum, { restarts }) => sum + restarts, 0)).toBeGreaterThan(0);
    expect(lines().map((line) => line[0])).toEqual(['0', '1', '2', '3']);
  });

  it('runs preempted tasks again', async () => {
    const job = await submit(2);
    while ((await slurm.idleNodes()) > 0) await wait(50);
    await wait(300);
    const urgent = await slurm.submit([
      ...['--partition=high', '--nodes=2', '--exclusive', '--output=/dev/null', '--wrap'],
      'sleep 1',
    ]);
    const tasks = await slurm.untilEnded(job);
    expect(await slurm.untilEnded(urgent)).toMatchObject([{ state: 'COMPLETED' }]);
    expect(tasks.every(({ state }) => state === 'COMPLETED')).toBe(true);
    expect(tasks.filter(({ restarts }) => restarts > 0)).toHaveLength(2);
    expect(lines().map((line) => line[0])).toEqual(['0', '1', '2', '3']);
  });
});
