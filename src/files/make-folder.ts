/** Makes folders one after the other. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it that are missing. Node's own way, `recursive`, never ends below
 * `/proc`.
 * @throws Error with Node's code.
 */
export function makeFolder(path: string, { mode = 0o777 }: { mode?: number } = {}): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at) && at !== dirname(at); at = dirname(at))
    missing.unshift(at);
  for (const [index, folder] of missing.entries())
    try {
      mkdirSync(folder, { mode });
    } catch (thrown) {
      // Another process may have made one of them meanwhile.
      const isLast = index === missing.length - 1;
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST' || (isLast && !existsSync(folder)))
        throw thrown;
    }
}
