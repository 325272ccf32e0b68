/** A server without API keys on a machine with several users. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenIn } from '#server/auth/local-token.js';
import { peerUser } from '#server/auth/peer-user.js';
import type { RunningServer } from '#server/main.js';
import { serve, shippedRoot, temporaryFolder } from '../harness.js';

const folder = temporaryFolder();
const db = join(folder.path, 'jobs.db');
const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

let server: RunningServer;
beforeAll(async () => {
  // As an earlier version left it.
  writeFileSync(db, '', { mode: 0o644 });
  server = await serve(folder.path, { roots: [shippedRoot(folder.path)] });
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

/** Status of a call by a process of another user. */
async function statusAsNobody(
  path: string,
  { method = 'GET', token }: { method?: string; token?: string } = {},
): Promise<number> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '-e',
      `fetch(${JSON.stringify(server.url + path)}, ${JSON.stringify({ method, headers })})
         .then((answer) => console.log(answer.status))`,
    ],
    { uid: nobody, gid: nobody, cwd: '/', env: {} },
  );
  return Number(stdout);
}

describe('files of the store', () => {
  it('are their owner’s, those of earlier versions too', () => {
    for (const end of ['', '-wal', '-shm', '.lock', '.token'])
      expect({ end, mode: statSync(`${db}${end}`).mode & 0o777 }).toEqual({ end, mode: 0o600 });
    for (const end of ['.journals', '.sums'])
      expect({ end, mode: statSync(`${db}${end}`).mode & 0o777 }).toEqual({ end, mode: 0o700 });
  });

  it('hold a token that is made again if others could know it', () => {
    const file = join(folder.path, 'a.token');
    const token = tokenIn(file);
    expect(tokenIn(file)).toBe(token);
    chmodSync(file, 0o644);
    expect(tokenIn(file)).not.toBe(token);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe.skipIf(!isRoot || !existsSync('/proc/net/tcp'))('without keys (as root)', () => {
  it('serves its own user, and others with the token alone', async () => {
    expect((await fetch(`${server.url}/v1/kinds`)).status).toBe(200);
    const token = readFileSync(`${db}.token`, 'utf8').trim();
    expect(await statusAsNobody('/healthz')).toBe(200);
    expect(await statusAsNobody('/v1/kinds')).toBe(401);
    expect(await statusAsNobody('/v1/evaluations/x', { method: 'DELETE' })).toBe(401);
    expect(await statusAsNobody('/v1/kinds', { token: `${token}x` })).toBe(401);
    expect(await statusAsNobody('/v1/kinds', { token })).toBe(200);
  });

  it('knows the user of a connection, and takes none for one that was closed', async () => {
    const listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    try {
      await once(listener, 'listening');
      const { port } = listener.address() as AddressInfo;
      const child = spawn(
        process.execPath,
        ['-e', `require('node:net').connect(${port}, '127.0.0.1')`],
        { uid: nobody, gid: nobody, cwd: '/', env: {}, stdio: 'ignore' },
      );
      const [socket] = (await once(listener, 'connection')) as [Socket];
      socket.on('error', () => undefined).resume();
      expect(await peerUser(socket)).toBe(nobody);
      child.kill('SIGKILL');
      await once(socket, 'end');
      // The kernel now lists the other end as user 0.
      expect(await peerUser(socket)).toBeNull();
      socket.destroy();
    } finally {
      listener.close();
    }
  });
});
