/**
 * The examples of docs/reference/torch: each `ts` block compiles against the declarations of
 * `sae-eval/torch` and runs. `EXPRESSION; // → VALUE` compares, `EXPRESSION; // throws CODE`
 * expects an error of that code. A block marked `ts cuda` compiles only, without a device.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { cuda } from '#src/torch/index.js';

const pages = fileURLToPath(new URL('../../docs/reference/torch/', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
// Inside the package, so that its own name resolves as it does for users.
const folder = mkdtempSync(join(root, 'test', 'torch', '.examples-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Example {
  name: string;
  path: string;
  runs: boolean;
}

function asserted(code: string): string {
  return code
    .split('\n')
    .map((line) => {
      const value = /^(\s*)(?:(const \w+ = ))?(.+?);\s*\/\/ → (.+)$/.exec(line);
      if (value !== null) return `${value[1]}deepStrictEqual(${value[3]}, ${value[4]});`;
      const error = /^(\s*)(.+?);\s*\/\/ throws ([\w-]+)$/.exec(line);
      if (error !== null)
        return `${error[1]}throws(() => { ${error[2]}; }, { code: '${error[3]}' });`;
      return line;
    })
    .join('\n');
}

const examples = readdirSync(pages)
  .filter((name) => name.endsWith('.md'))
  .flatMap((page): Example[] => {
    const blocks = [
      ...readFileSync(join(pages, page), 'utf8').matchAll(/^```ts( cuda)?\n([\s\S]*?)^```/gm),
    ];
    return blocks.map(([, needsCuda, code], i) => {
      const path = join(folder, `${page.replace('.md', '')}-${i + 1}.ts`);
      writeFileSync(
        path,
        `import { deepStrictEqual, throws } from 'node:assert';\n${asserted(code!)}\nvoid ` +
          `[deepStrictEqual, throws];\nexport {};\n`,
      );
      return {
        name: `${page}, example ${i + 1}`,
        path,
        runs: needsCuda === undefined || cuda.isAvailable(),
      };
    });
  });

describe('the examples of docs/reference/torch', () => {
  it('compile', () => {
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
      strict: true,
      skipLibCheck: true,
      outDir: folder,
      rootDir: folder,
      noEmitOnError: false,
    };
    const program = ts.createProgram(
      examples.map(({ path }) => path),
      options,
    );
    const faults = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
      const line =
        file === undefined
          ? ''
          : file.text.split('\n')[ts.getLineAndCharacterOfPosition(file, start ?? 0).line];
      return (
        `${file?.fileName.split('/').at(-1)}: ` +
        `${ts.flattenDiagnosticMessageText(messageText, ' ')}: ${line}`
      );
    });
    expect(faults).toEqual([]);
    program.emit();
    expect(examples.length).toBeGreaterThan(10);
  });

  it.each(examples.filter(({ runs }) => runs))('$name', async ({ path }) => {
    await import(/* @vite-ignore */ pathToFileURL(path.replace(/\.ts$/, '.js')).href);
  });
});
