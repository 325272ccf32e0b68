/** A thousand temporaries of 64 MB in scopes, in a process of its own that tells the most memory it held. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const binding = JSON.stringify(fileURLToPath(new URL('../../dist/src/torch/index.js', import.meta.url)));
const rounds = process.env['SAE_EVAL_TEST_FULL'] === undefined ? 100 : 1000;

it(`${rounds} temporaries of 64 MB peak below 300 MB, and no handle is left`, () => {
  const program = `import { memory, scope, versions, zeros } from ${binding};
    const libraries = versions().cudaBuild ? process.memoryUsage.rss() / 2 ** 20 : 0; // CUDA's alone are hundreds of MB
    for (let i = 0; i < ${rounds}; i++) scope(() => { zeros([16 * 2 ** 20]).add_(1).sum().item(); return null; });
    console.log(JSON.stringify({ peak: process.resourceUsage().maxRSS / 1024 - libraries, handles: memory().handles, collected: memory().collected }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const { peak, handles, collected } = JSON.parse(stdout) as { peak: number; handles: number; collected: number };
  expect(peak).toBeLessThan(300);
  expect({ handles, collected }).toEqual({ handles: 0, collected: 0 });
});
