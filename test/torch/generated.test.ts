/** The checked-in signatures against the schemas of the libtorch that the addon was built with. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { addonPath } from '#src/torch/setup/paths.js';
import { operatorSchemas, Tensor, versions } from '#src/torch/index.js';
import { methodNames } from '#src/torch/generated/operators.js';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const text = readFileSync(path('src/torch/generated/operators.ts'), 'utf8');
const [, release] = /schemas of libtorch (\d+\.\d+\.\d+)/.exec(text)!;
const { libtorch } = versions();
const same = libtorch.startsWith(release!);

describe('the generated signatures', () => {
  it.skipIf(!same)(
    `are current${same ? '' : `: not compared, they are of ${release}, libtorch is ${libtorch}`}`,
    () => {
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [path('native/generate-operators.mjs')],
        {
          encoding: 'utf8',
          maxBuffer: 2 ** 26,
          env: { ...process.env, SAE_EVAL_ADDON: addonPath() },
        },
      );
      const [, overloads] = /^(\d+) overloads/.exec(stderr)!;
      expect(Number(overloads)).toBeGreaterThan(2000);
      expect(stdout === text).toBe(true); // `npm run generate` writes them anew
    },
  );

  it('name methods that exist', () => {
    const known = new Set(
      operatorSchemas().map((schema) =>
        schema.slice(0, schema.search(/[.(]/)).replace('aten::', ''),
      ),
    );
    expect(methodNames.length).toBeGreaterThan(800);
    for (const name of methodNames) {
      if (same) expect(known).toContain(name);
      if (known.has(name))
        expect(typeof (Tensor.prototype as unknown as Record<string, unknown>)[name], name).toBe(
          'function',
        );
    }
  });
});
