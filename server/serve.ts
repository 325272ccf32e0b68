/** Entry of a server process. */
import { entryUrl } from '../src/entry.js';
import type { start as Start } from './start.js';

const { start } = (await import(entryUrl('server/start.js').href)) as { start: typeof Start };
await start();
