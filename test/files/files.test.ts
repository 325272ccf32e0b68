/** A file that was checked is the one opened: links, races, pipes, devices against src/files/. */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FileBytes } from '#src/checkpoint/file-bytes.js';
import { readJsonFile } from '#src/checkpoint/json-file.js';
import { openWeights } from '#src/checkpoint/weights-file.js';
import { readParquetColumn } from '#src/data/parquet.js';
import {
  confineTo,
  entriesIn,
  entriesLater,
  factsOf,
  isFile,
  leavesOnItsWay,
  openFile,
  openFileHandle,
} from '#src/files/index.js';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'sae-eval-files-')));
const root = join(base, 'root');
const outside = join(base, 'outside');
const inRoot = (name: string): string => join(root, name);

beforeAll(() => {
  for (const folder of [root, outside, inRoot('folder'), join(outside, 'folder')])
    mkdirSync(folder, { recursive: true });
  writeFileSync(inRoot('own.json'), '{"own":1}');
  writeFileSync(inRoot('folder/a.txt'), 'a');
  writeFileSync(join(outside, 'secret.json'), 'TOPSECRET');
  writeFileSync(join(outside, 'folder', 'secret.txt'), 'TOPSECRET');
  symlinkSync('own.json', inRoot('inner.json'));
  symlinkSync(inRoot('own.json'), inRoot('absolute.json'));
  symlinkSync('../outside/secret.json', inRoot('link.json'));
  symlinkSync('../outside/none.json', inRoot('dangling.json'));
  symlinkSync('../outside/folder', inRoot('linked'));
  symlinkSync('own.json/none', inRoot('broken.json'));
  symlinkSync('circle.json', inRoot('circle.json'));
  symlinkSync('/proc/self/environ', inRoot('environ'));
  symlinkSync('/dev/zero', inRoot('zero'));
  execFileSync('mkfifo', [inRoot('pipe'), join(outside, 'pipe')]);
  symlinkSync('../outside/pipe', inRoot('linked-pipe'));
});
afterEach(() => confineTo(null));
afterAll(() => rmSync(base, { recursive: true }));

const codeOf = (use: () => unknown): string => {
  try {
    use();
    return 'none';
  } catch (thrown) {
    return String((thrown as { code?: string }).code);
  }
};

describe('a process that may read some folders', () => {
  it.each([
    ['own.json', 'none'],
    ['inner.json', 'none'],
    ['absolute.json', 'none'],
    ['none.json', 'ENOENT'],
    ['broken.json', 'ENOTDIR'],
    ['circle.json', 'ELOOP'],
    ['link.json', 'path-outside-roots'],
    ['dangling.json', 'path-outside-roots'],
    ['linked/secret.txt', 'path-outside-roots'],
    ['linked/none.txt', 'path-outside-roots'],
    ['environ', 'path-outside-roots'],
    ['zero', 'path-outside-roots'],
    ['linked-pipe', 'path-outside-roots'],
    ['../outside/secret.json', 'path-outside-roots'],
    ['../outside/none.json', 'path-outside-roots'],
    ['folder', 'file-unreadable'],
    ['pipe', 'file-unreadable'],
  ])('opens %s: %s', (name, code) => {
    confineTo([root]);
    expect(codeOf(() => closeSync(openFile(`${root}/${name}`)))).toBe(code);
    expect(codeOf(() => FileBytes.with(`${root}/${name}`, () => {}))).toBe(code);
  });

  it('reads no weights, no JSON and no parquet behind a link that leads outside', async () => {
    confineTo([root]);
    const refused = expect.objectContaining({ code: 'path-outside-roots' }) as Error;
    expect(() => openWeights(inRoot('link.json'))).toThrow(refused);
    expect(() => readJsonFile(inRoot('link.json'), { code: 'model-invalid' })).toThrow(refused);
    await expect(openFileHandle(inRoot('link.json'))).rejects.toThrow(refused);
    await expect(readParquetColumn(inRoot('link.json'), 'text').next()).rejects.toThrow(refused);
  });

  it('lists no folder behind such a link, and looks at nothing there', async () => {
    confineTo([root]);
    const refused = expect.objectContaining({ code: 'path-outside-roots' }) as Error;
    expect(() => entriesIn(inRoot('linked'))).toThrow(refused);
    await expect(entriesLater(inRoot('linked'))).rejects.toThrow(refused);
    expect(() => factsOf(inRoot('link.json'))).toThrow(refused);
    // A file of settings that leads outside is not passed over; above the folders there is none.
    expect(() => isFile(inRoot('link.json'))).toThrow(refused);
    expect(isFile(join(outside, 'secret.json'))).toBe(false);
    expect(entriesIn(inRoot('folder')).map(({ name }) => name)).toEqual(['a.txt']);
    expect(entriesIn(root).length).toBeGreaterThan(5);
  });

  it('says the same of what is outside and of what is not there', () => {
    confineTo([root]);
    const messageOf = (name: string): string => {
      try {
        openFile(inRoot(name));
        return '';
      } catch (thrown) {
        return (thrown as Error).message.replaceAll(name, 'NAME');
      }
    };
    expect(messageOf('dangling.json')).toBe(messageOf('link.json'));
    expect(messageOf('linked/none.txt')).toBe(messageOf('linked/secret.txt'));
    expect(messageOf('link.json')).not.toContain(outside);
  });

  it('never reads a file that takes the place of a checked one, however often they change', () => {
    confineTo([root]);
    const swapped = inRoot('swapped.json');
    const [good, bad] = [inRoot('good'), inRoot('bad')];
    // Another process swaps a file and a link that leads outside as fast as it can.
    const swapping = `
      const { renameSync, writeFileSync, symlinkSync } = require('node:fs');
      const until = Date.now() + 60_000;
      while (Date.now() < until) {
        writeFileSync(${JSON.stringify(good)}, '{"own":1}');
        renameSync(${JSON.stringify(good)}, ${JSON.stringify(swapped)});
        symlinkSync('../outside/secret.json', ${JSON.stringify(bad)});
        renameSync(${JSON.stringify(bad)}, ${JSON.stringify(swapped)});
      }`;
    writeFileSync(swapped, '{"own":1}');
    const child = spawn(process.execPath, ['-e', swapping], { stdio: 'ignore' });
    const [own, refused] = ['{"own":1}', 'path-outside-roots'];
    const seen = new Map<string, number>();
    const timesOf = (answer: string): number => seen.get(answer) ?? 0;
    // Both are met some hundred times, however slowly the other process starts.
    for (
      const until = Date.now() + 50_000;
      Date.now() < until && (timesOf(own) < 300 || timesOf(refused) < 300);
    ) {
      let answer: string;
      try {
        answer = FileBytes.with(swapped, (file) => file.read(0, file.size).toString());
      } catch (thrown) {
        answer = (thrown as { code: string }).code;
      }
      seen.set(answer, timesOf(answer) + 1);
    }
    child.kill();
    // A file is empty between the moment it is made and the one it is written.
    seen.delete('');
    expect([...seen.keys()].sort()).toEqual([refused, own].sort());
  });

  it('keeps what it opened when another file takes its name', () => {
    confineTo([root]);
    writeFileSync(inRoot('kept'), 'x'.repeat(5000));
    const file = openWeights(inRoot('kept'));
    renameSync(inRoot('kept'), inRoot('moved'));
    symlinkSync('../outside/secret.json', inRoot('kept'));
    const tensor = file.tensor({ byteOffset: 0, dtype: 'uint8', shape: [3] });
    expect([...(tensor.toTypedArray() as Uint8Array)]).toEqual([120, 120, 120]);
    tensor.dispose();
    file.close();
  });

  it('refuses files of the system, which may have no end, even below the root folder', () => {
    confineTo(['/']);
    expect(codeOf(() => openFile('/proc/self/environ'))).toBe('path-outside-roots');
    expect(codeOf(() => openFile('/sys/kernel/mm/transparent_hugepage/enabled'))).toMatch(
      /path-outside-roots|ENOENT/,
    );
    expect(codeOf(() => openFile('/dev/zero'))).toBe('file-unreadable');
    expect(codeOf(() => closeSync(openFile(inRoot('own.json'))))).toBe('none');
  });
});

describe('links as texts', () => {
  beforeAll(() => {
    symlinkSync('folder/../../outside/none', inRoot('up'));
    symlinkSync('linked/../folder/none', inRoot('out-and-back'));
    symlinkSync(`${root}/folder/none`, inRoot('absolute-none'));
    symlinkSync(`${root}x/none`, inRoot('beside'));
  });

  it.each([
    ['none', false],
    ['folder/none', false],
    ['absolute-none', false],
    ['circle.json', false],
    ['up', true],
    ['out-and-back', true],
    ['beside', true],
    ['linked/none', true],
  ])('%s leaves the folders: %s', (name, leaves) => {
    expect(leavesOnItsWay(inRoot(name), [root])).toBe(leaves);
  });
});

describe('a process of the command line', () => {
  it('reads everything but waits for no pipe and no device', () => {
    expect(FileBytes.with(inRoot('link.json'), (file) => file.size)).toBe(9);
    for (const name of ['pipe', 'linked-pipe', 'zero'])
      expect(codeOf(() => openFile(inRoot(name)))).toBe('file-unreadable');
  });

  it('names a file that it may not read, and not the way it was opened', () => {
    expect(() => openFile(inRoot('none'))).toThrow(inRoot('none'));
    writeFileSync(inRoot('empty'), '');
    expect(() => openWeights(inRoot('empty'))).toThrow(`${inRoot('empty')}: expected a file with`);
  });
});
