/** Parts of documents that are made from tables of the code. */
import { readFileSync } from 'node:fs';
import { root } from '../golden/load.js';

/**
 * Path and text of a document with `table` between its marks. Compare with `toMatchFileSnapshot`:
 * `vitest -u` writes it.
 */
export function withTable(document: string, table: string): { path: string; text: string } {
  const path = `${root}docs/reference/${document}`;
  const text = readFileSync(path, 'utf8').replace(
    /(<!-- Between these marks: .* -->\n)[\s\S]*(<!-- \/table -->)/,
    (_, before: string, after: string) => `${before}\n${table}\n\n${after}`,
  );
  return { path, text };
}
