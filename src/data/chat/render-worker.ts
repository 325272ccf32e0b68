/** Worker thread of renderer.ts: renders the conversations of each message it receives. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Message } from './conversation.js';
import { ChatRenderer, type RenderOptions } from './render.js';
import type { FromRenderWorker } from './renderer.js';

const port = parentPort!;
const send = (message: FromRenderWorker): void => port.postMessage(message);

let renderer: ChatRenderer | null = null;
let fault = '';
try {
  renderer = new ChatRenderer(workerData as RenderOptions);
} catch (thrown) {
  fault = thrown instanceof Error ? thrown.message : String(thrown);
}

port.on('message', (conversations: Message[][]) => {
  if (renderer === null) send({ error: `expected a template in Jinja: ${fault}` });
  else send({ rendered: conversations.map((one) => renderer.render(one)) });
});
