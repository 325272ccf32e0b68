/**
 * The tests that torch-js 0.14 publishes, unchanged, against this binding: fetched by `npm pack`
 * into a temporary folder, where `dist/index.js`, which they load, becomes one line that loads
 * ours. Skipped, with a word, where npm cannot fetch them.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it, test } from 'vitest';
import * as torch from '#src/torch/index.js';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'sae-eval-torch-js-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The folder of the unpacked package, or why there is none. */
async function fetched(): Promise<{ path: string } | { why: string }> {
  try {
    const { stdout } = await run(
      'npm',
      ['pack', '--silent', '@arition/torch-js@0.14.0', '--pack-destination', folder],
      { cwd: folder, timeout: 60_000 },
    );
    await run('tar', ['-xzf', join(folder, stdout.trim().split('\n').at(-1)!), '-C', folder]);
    return { path: join(folder, 'package') };
  } catch (error) {
    return { why: (error as Error).message.split('\n')[0]! };
  }
}

const found = await fetched();

if ('why' in found) {
  describe('torch-js', () => it.skip(`its tests could not be fetched: ${found.why}`));
} else {
  const ours = fileURLToPath(import.meta.resolve('#src/torch/index.js'));
  const held = Symbol.for('sae-eval/torch');
  // Node.js before 20.19 cannot require an ES module: there it gets the one that is imported here.
  const line =
    (process.features as { require_module?: boolean }).require_module === true
      ? `require(${JSON.stringify(ours)})`
      : 'globalThis[Symbol.for("sae-eval/torch")]';
  Object.assign(globalThis, { [held]: torch, describe, test, expect });
  writeFileSync(join(found.path, 'dist', 'index.js'), `module.exports = ${line};\n`);
  const files = readdirSync(join(found.path, 'tests')).filter((name) => name.endsWith('.test.js'));
  const require = createRequire(import.meta.url);
  describe('torch-js 0.14', () => {
    for (const name of files) describe(name, () => void require(join(found.path, 'tests', name)));
  });
  it('are the three files of 19 tests', () => {
    expect(files.sort()).toEqual(['rand.test.js', 'scriptmodule.test.js', 'tensor.test.js']);
    expect(existsSync(join(found.path, 'tests', 'resources', 'test_model.pt'))).toBe(true);
  });
}

describe('its names', () => {
  it(
    'makes tensors from objects and back, whatever device and strides, and frees no storage ' +
      'under a view',
    () => {
      const a = torch.Tensor.fromObject({ data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] });
      const column = a.select(1, 1);
      expect(a.t().toObject()).toEqual({ data: Float64Array.of(1, 3, 2, 4), shape: [2, 2] });
      a.free();
      expect(column.toObject()).toEqual({ data: Float64Array.of(2, 4), shape: [2] });
      expect(() => a.toObject()).toThrow(/was disposed/);
    },
  );

  it('knows its dtypes, and more', () => {
    expect(torch.rand([2], { dtype: torch.float64 }).dtype).toBe('float64');
    expect(torch.rand(2, 3, { dtype: 'bfloat16' }).dtype).toBe('bfloat16');
    expect(torch.tensor([[1, 2]], { dtype: torch.int32 }).toObject().data).toEqual(
      Int32Array.of(1, 2),
    );
    const seeded = (): unknown =>
      torch.rand([3], { generator: new torch.Generator().manualSeed(1) }).toArray();
    expect(seeded()).toEqual(seeded());
  });

  it('has coded errors under the texts that its programs compare', () => {
    const error = (() => {
      try {
        torch.rand('2' as never);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(torch.TorchError);
    expect(error).toMatchObject({ code: 'torch-argument', message: 'A number was expected' });
    expect(() => torch.rand([2], { dtype: 'float33' as never })).toThrow(/expected a dtype/);
  });
});
