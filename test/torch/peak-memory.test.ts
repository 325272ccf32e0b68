/** Memory of many temporaries, each in a process of its own that tells the most it held. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { full } from '../full.js';

const binding = JSON.stringify(
  fileURLToPath(new URL('../../dist/src/torch/index.js', import.meta.url)),
);
const rounds = !full ? 100 : 1000;

it(
  'a long loop that never returns to the event loop leaves nothing of the tensors it ' +
    'disposed of',
  () => {
    const program = `import { memory, ones, scope } from ${binding};
    const x = ones([4]);
    const loop = (count) => {
      for (let i = 0; i < count; i++) {
        x.add(x).dispose();
        scope(() => void x.add(x));
      }
    };
    loop(50_000);
    const before = process.memoryUsage.rss();
    loop(200_000);
    const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
    console.log(JSON.stringify({ grown, handles: memory().handles }));`;
    const { grown, handles } = JSON.parse(
      spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
        .stdout,
    ) as Record<string, number>;
    expect(handles).toBe(1);
    // Handles that wait for a finalizer take more than 200 bytes each: 80 MB.
    expect(grown).toBeLessThan(20);
  },
);

it(`${rounds} temporaries of 64 MB peak below 300 MB, and no handle is left`, () => {
  const program = `import { memory, scope, versions, zeros } from ${binding};
    // CUDA's libraries alone take hundreds of MB.
    const libraries = versions().cudaBuild ? process.memoryUsage.rss() / 2 ** 20 : 0;
    for (let i = 0; i < ${rounds}; i++)
      scope(() => void zeros([16 * 2 ** 20]).add_(1).sum().item());
    const peak = process.resourceUsage().maxRSS / 1024 - libraries;
    const { handles, collected } = memory();
    console.log(JSON.stringify({ peak, handles, collected }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  const { peak, handles, collected } = JSON.parse(stdout) as {
    peak: number;
    handles: number;
    collected: number;
  };
  expect(peak).toBeLessThan(300);
  expect({ handles, collected }).toEqual({ handles: 0, collected: 0 });
});

it('what a scope will free does not make the garbage collector run, what nobody frees does', () => {
  const program = `import { PerformanceObserver } from 'node:perf_hooks';
    import { ops, scope } from ${binding};
    const [major, incremental] = [4, 8];
    let collections = 0;
    const observer = new PerformanceObserver((list) => {
      for (const { detail } of list.getEntries())
        if (detail.kind === major || detail.kind === incremental) collections++;
    });
    observer.observe({ entryTypes: ['gc'] });
    const count = async (body) => {
      collections = 0;
      for (let i = 0; i < 40; i++) { body(); await new Promise(setImmediate); }
      await new Promise((resolve) => setTimeout(resolve, 100));
      return collections;
    };
    const large = () => ops.empty([16 * 2 ** 20]);
    await count(() => {}); // what start-up left behind
    const scoped = await count(() =>
      scope(() => {
        for (let i = 0; i < 4; i++) large();
      }),
    );
    const forgotten = await count(large);
    console.log(JSON.stringify({ scoped, forgotten }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  const { scoped, forgotten } = JSON.parse(stdout) as Record<string, number>;
  expect(scoped).toBe(0);
  expect(forgotten).toBeGreaterThan(0);
});

it(
  'freed memory that waits for the next tensor makes a process little larger than what it ' +
    'had in use',
  () => {
    const program = `
    import { ops, scope, setMemoryCache, setNumThreads, trimMemory } from ${binding};
    setNumThreads(1); // counts of resident pages lag by some for each processor
    const megabyte = 2 ** 20;
    const fill = (size) => scope(() => void ops.ones([size * megabyte / 4]));
    const resident = () => process.memoryUsage.rss() / megabyte;
    setMemoryCache(4096 * megabyte);
    fill(1);
    const before = resident();
    let most = 0;
    // None can serve another: it is too small, or more than half as large again.
    for (let round = 0; round < 3; round++)
      for (const size of [250, 160, 100, 64, 40, 25, 16]) {
        fill(size);
        most = Math.max(most, resident() - before);
      }
    // Nor do blocks of many sizes leave holes that none fits.
    for (let i = 0; i < 2000; i++)
      scope(() => {
        for (const size of [1 + i * 7 % 23, 1 + i * 11 % 29, 1 + i * 13 % 31])
          ops.empty([size * megabyte / 4]).fill_(1);
      });
    most = Math.max(most, resident() - before);
    fill(100);
    const kept = resident() - before;
    trimMemory();
    const peak = process.resourceUsage().maxRSS / 1024 - before;
    console.log(JSON.stringify({ most, peak, kept, left: resident() - before }));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    const { most, peak, kept, left } = JSON.parse(stdout) as Record<string, number>;
    expect(most).toBeGreaterThan(240);
    expect(most).toBeLessThan(250 + 30);
    expect(peak).toBeLessThan(250 + 192 + 30);
    expect(kept).toBeGreaterThan(90);
    expect(left).toBeLessThan(30);
  },
);
