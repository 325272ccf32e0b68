/** Losses that SQLite does not tell: a write-ahead log that is gone or damaged. */
import {
  copyFileSync,
  existsSync,
  linkSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { countFile } from '#server/jobs/change-count.js';
import { lockStore } from '#server/jobs/store-lock.js';
import { claimStore } from '#server/jobs/store-owner.js';
import { Store } from '#server/jobs/store.js';
import { processIdentity } from '#server/jobs/process-identity.js';
import { resolvedRequestSchema } from '#src/schema/record.js';
import { smallRequest, temporaryFolder, until } from '../harness.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());
let round = 0;
let file: string;
beforeEach(() => (file = join(folder.path, `jobs-${round++}.db`)));

function insert(store: Store, id: string): void {
  store.evaluations.insert({
    id,
    device: 'cpu',
    submittedBy: null,
    client: 'someone',
    request: resolvedRequestSchema.parse(smallRequest()),
    paths: [],
    idempotencyKey: null,
    bodyHash: 'hash',
    trace: {},
  });
}

/** Files of a store as a kill of its server leaves them, with 6 evaluations in the log alone. */
function killed(): void {
  const store = new Store(`${file}.living`);
  for (let i = 0; i < 6; i++) insert(store, `evaluation-${i}`);
  for (const ending of ['', '-wal', '.count'])
    copyFileSync(`${file}.living${ending}`, `${file}${ending}`);
  store.close();
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(10_000);
}

const opened = (): number => {
  const store = new Store(file);
  const { length } = store.evaluations.list({ limit: 100 }).items;
  store.close();
  return length;
};

const damaged = (message: RegExp) =>
  expect.objectContaining({
    code: 'storage-damaged',
    message: expect.stringMatching(message) as string,
  });

describe('a store whose server was killed', () => {
  it('has everything, with its log', () => {
    killed();
    expect(opened()).toBe(6);
  });

  it.each([
    ['removed', () => rmSync(`${file}-wal`)],
    ['cut in half', () => truncateSync(`${file}-wal`, statSync(`${file}-wal`).size / 2)],
    [
      'changed by one bit',
      () => {
        const bytes = readFileSync(`${file}-wal`);
        bytes[bytes.length / 2]! ^= 4;
        writeFileSync(`${file}-wal`, bytes);
      },
    ],
  ])('is refused if its log was %s, until somebody accepts the loss', (_, harm) => {
    killed();
    harm();
    expect(opened).toThrow(damaged(/lacks \d of 6 changes .*jobs-\d+\.db-wal was removed/));
    rmSync(countFile(file));
    expect(opened()).toBeLessThan(6);
  });

  it('is refused if its database is empty or missing, and its log is kept', () => {
    killed();
    truncateSync(file, 0);
    expect(opened).toThrow(damaged(/is empty, but its write-ahead log/));
    rmSync(file);
    expect(opened).toThrow(damaged(/is missing, but its write-ahead log/));
    expect(existsSync(`${file}-wal`)).toBe(true);
    rmSync(`${file}-wal`);
    // Nobody removes a database by chance.
    expect(opened()).toBe(0);
    truncateSync(file, 0);
    expect(opened()).toBe(0);
  });
});

it('moves what the log holds to the database soon after the last write', async () => {
  const store = new Store(file);
  insert(store, 'waits');
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
  await until(() => statSync(`${file}-wal`).size === 0, { what: 'the upkeep' });
  store.close();
});

describe('a store of a running server', () => {
  it('has one lock, whichever link leads to it', async () => {
    writeFileSync(file, '');
    const link = `${file}.link`;
    symlinkSync(file, link);
    const unlock = await lockStore(file, { patienceMs: 0 });
    await expect(lockStore(link, { patienceMs: 0 })).rejects.toMatchObject({
      code: 'configuration-invalid',
      message: expect.stringContaining('is in use by another server') as string,
    });
    unlock();
  });

  it('has one owner, also without its lock or by a hard link; a copy has none', async () => {
    const store = new Store(file);
    // The test's own parent is another living process.
    const identity = JSON.stringify(processIdentity(process.ppid));
    const { dev, ino } = statSync(file, { bigint: true });
    store.setFact('owner', JSON.stringify({ place: `${dev} ${ino}`, identity }));
    const inUse = { code: 'configuration-invalid' };
    await expect(claimStore(store, file, { patienceMs: 150 })).rejects.toMatchObject(inUse);
    linkSync(file, `${file}.hard`);
    await expect(claimStore(store, `${file}.hard`, { patienceMs: 0 })).rejects.toMatchObject(inUse);
    store.close();
    copyFileSync(file, `${file}.copy`);
    const copy = new Store(`${file}.copy`);
    await claimStore(copy, `${file}.copy`, { patienceMs: 0 });
    copy.close();
    // One that has ended is no owner, though another process has its id now.
    const later = new Store(file);
    const gone = { ...processIdentity(process.ppid)!, born: 'an earlier boot' };
    const owner = { place: `${dev} ${ino}`, identity: JSON.stringify(gone) };
    later.setFact('owner', JSON.stringify(owner));
    const giveUp = await claimStore(later, file, { patienceMs: 0 });
    expect(later.fact('owner')).toContain(`\\"pid\\":${process.pid},`);
    giveUp();
    expect(later.fact('owner')).toBe('{}');
    later.close();
  });
});
