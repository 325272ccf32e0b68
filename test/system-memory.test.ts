/** Limits of control groups, from folders that look as Linux shows them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { controlGroupMemory, systemMemory } from '#src/system-memory.js';

let mounted: string;
beforeAll(() => {
  mounted = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(mounted, { recursive: true }));

function group(path: string, files: Record<string, string>): void {
  mkdirSync(join(mounted, path), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(mounted, path, name), text);
}

describe('memory of a control group', () => {
  it('is the limit of version 1, and files in memory are free', () => {
    group('memory/one', {
      'memory.limit_in_bytes': '9223372036854771712\n',
      'memory.usage_in_bytes': '7000\n',
    });
    group('memory/one/two', {
      'memory.limit_in_bytes': '1000000\n',
      'memory.usage_in_bytes': '900000\n',
      'memory.stat':
        'cache 5\ninactive_file 1\ntotal_inactive_file 300000\ntotal_active_file 100000\n',
    });
    expect(controlGroupMemory({ groups: '4:memory:/one/two\n0::/\n', mounted })).toEqual({
      totalBytes: 1_000_000,
      freeBytes: 500_000,
    });
  });

  it('is the tightest limit of version 2 of the groups around', () => {
    group('pod', { 'memory.max': '600000\n', 'memory.current': '500000\n' });
    group('pod/container', { 'memory.max': 'max\n', 'memory.current': '400000\n' });
    group('pod/container/job', {
      'memory.max': '800000\n',
      'memory.current': '100000\n',
      'memory.stat': 'anon 1\nactive_file 20000\ninactive_file 30000\n',
    });
    expect(controlGroupMemory({ groups: '0::/pod/container/job\n', mounted })).toEqual({
      totalBytes: 600_000,
      freeBytes: 100_000,
    });
  });

  it('is none where nothing limits, or nothing can be read', () => {
    for (const groups of ['', '0::/nowhere\n', 'nonsense', '3:cpu,cpuacct:/one/two\n'])
      expect(controlGroupMemory({ groups, mounted })).toBeNull();
  });

  it("is at most the machine's", () => {
    const { totalBytes, freeBytes } = systemMemory();
    expect(totalBytes).toBeLessThanOrEqual(totalmem());
    expect(freeBytes).toBeLessThanOrEqual(totalBytes);
    expect(freeBytes).toBeGreaterThan(0);
  });
});
