/** Answers that are counted until they are read: of callers that have left nothing is owed. */
import Fastify from 'fastify';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { registerUnread, UnreadAnswers } from '#server/unread.js';
import { until } from './harness.js';

const app = Fastify();
let answer = (): void => undefined;
let waiting = 0;

beforeAll(async () => {
  app.decorateRequest('keyLabel', null);
  registerUnread(app, new UnreadAnswers());
  app.get('/', () => 'x'.repeat(20_000_000));
  app.get('/later', async () => {
    waiting += 1;
    await new Promise<void>((resolve) => (answer = resolve));
    return 'x'.repeat(20_000_000);
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => app.close());

it('a caller that left before its answer owes nothing', async () => {
  const port = (app.server.address() as { port: number }).port;
  for (let round = 1; round <= 3; round++) {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => waiting === round, { what: 'the call' });
    socket.destroy();
    const open = (): Promise<number> =>
      new Promise((resolve) => app.server.getConnections((_, count) => resolve(count)));
    await until(async () => (await open()) === 0, { what: 'the end of the connection' });
    answer();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const read = await fetch(`http://127.0.0.1:${port}/`);
  expect(read.status).toBe(200);
  expect((await read.text()).length).toBe(20_000_000);
});
