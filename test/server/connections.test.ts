/** Connections that stay silent, are too many, or use up the descriptors of the process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { packageRoot, serve, temporaryFolder, until } from './harness.js';

const folder = temporaryFolder();
const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  folder.remove();
});

/** A connection that ignores errors. */
function open(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

/** Waits for an end of any sort. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.resume().once('close', () => resolve()));

describe('a server that stops', () => {
  it('waits for no connection that sends nothing', async () => {
    const other = temporaryFolder();
    const server = await serve(other.path, { requestTimeout: 300 });
    const before = open(server.url);
    await once(before, 'connect');
    const stopped = server.close();
    // Some clients open another connection when one is closed.
    const after = open(server.url);
    await Promise.all([stopped, closed(before), closed(after)]);
    expect(before.bytesRead + after.bytesRead).toBe(0);
    other.remove();
  });
});

describe('a server with short times', () => {
  let server: RunningServer;
  beforeAll(async () => {
    const most = { maxConnections: 4, maxConnectionsPerClient: 3 };
    server = await serve(folder.path, { requestTimeout: 1, keepAlive: 1, ...most });
  });
  afterAll(() => server.close());

  it('closes a connection that never sends anything', async () => {
    const socket = open(server.url);
    let answer = '';
    socket.on('data', (text: Buffer) => (answer += text.toString()));
    await once(socket, 'connect');
    await closed(socket);
    // Node's own limit of a request ends at the same time, and says so.
    expect(answer).toMatch(/^(?:HTTP\/1\.1 408 [^]*)?$/);
  });

  it('closes a kept connection, after it has answered', async () => {
    const socket = open(server.url);
    socket.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    let answer = '';
    socket.on('data', (text: Buffer) => (answer += text.toString()));
    await closed(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*keep-alive: timeout=1/i);
  });

  it('refuses more connections than it may have, and goes on when some have ended', async () => {
    const held = Array.from({ length: 3 }, () => open(server.url));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    const ofTheSame = open(server.url);
    await closed(ofTheSame);
    expect(ofTheSame.bytesRead).toBe(0);
    // Another address may have one more.
    const { port } = new URL(server.url);
    const other = connect({ port: Number(port), host: '127.0.0.1', localAddress: '127.0.0.2' });
    other.on('error', () => undefined);
    held.push(other);
    sockets.push(other);
    await once(other, 'connect');
    const refused = open(server.url);
    refused.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await closed(refused);
    expect(refused.bytesRead).toBe(0);
    for (const socket of held) socket.destroy();
    await until(async () => (await fetch(`${server.url}/healthz`).catch(() => null))?.ok === true, {
      what: 'an answer',
    });
  });
});

it('a server without a descriptor left goes on when there are some again', async () => {
  const settings = join(folder.path, 'settings.json');
  const settingsOf = { maxConnections: 10_000, maxConnectionsPerClient: 10_000, port: 0 };
  writeFileSync(settings, `\uFEFF${JSON.stringify(settingsOf)}`);
  const child = spawn(
    'bash',
    [
      '-c',
      'ulimit -n 400 && exec "$0" "$1"',
      process.execPath,
      join(packageRoot, 'dist/server/serve.js'),
    ],
    {
      env: {
        ...process.env,
        SAE_EVAL_CONFIG: settings,
        SAE_EVAL_ROOTS: packageRoot,
        SAE_EVAL_DB: join(folder.path, 'few.db'),
        SAE_EVAL_LOG_LEVEL: 'fatal',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  try {
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    await until(() => /listens on/.test(output), { what: 'the server', seconds: 60 });
    const url = /listens on (http:\S+)/.exec(output)![1]!;
    const kept = open(url);
    await once(kept, 'connect');
    const many = Array.from({ length: 500 }, () => open(url));
    await Promise.all(
      many.map(
        (socket) =>
          new Promise((resolve) => socket.once('connect', resolve).once('close', resolve)),
      ),
    );
    // Timers that read the process's state run every second.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(child.exitCode).toBeNull();
    // Answers that need a descriptor say that this passes.
    const paths = ['checkpoints', 'models', 'checkpoints/inspect?path=checkpoints/TopK_tiny.pt'];
    let answers = '';
    kept.on('data', (text: Buffer) => (answers += text.toString()));
    for (const [index, path] of paths.entries()) {
      kept.write(`GET /v1/${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
      await until(() => answers.match(/HTTP\/1\.1 503 /g)?.length === index + 1, {
        what: `503 for ${path}, found ${answers}`,
      });
    }
    expect(answers.match(/^retry-after: \d+/gim)?.length).toBe(paths.length);
    for (const socket of many) socket.destroy();
    await until(async () => (await fetch(`${url}/healthz`).catch(() => null))?.ok === true, {
      what: 'an answer',
    });
  } finally {
    child.kill('SIGKILL');
  }
}, 120_000);
