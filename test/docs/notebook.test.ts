/**
 * The notebook of docs/guide/python.md: made from the page's code, and run with a real server: in a
 * Jupyter kernel under test:full if pip brings one, otherwise as a script with the Python that is
 * there. Skipped without numpy, safetensors and matplotlib.
 */
import { execFileSync, execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { full } from '../full.js';
import { packageRoot, serve, temporaryFolder } from '../server/harness.js';

const page = readFileSync(join(packageRoot, 'docs/guide/python.md'), 'utf8');
const notebookPath = join(packageRoot, 'docs/guide/evaluate.ipynb');

/** Prose and code of the page in turn. */
const parts = page
  .split(/^```python\n([\s\S]*?)^```$/gm)
  .map((text, i) => ({ isCode: i % 2 === 1, text: text.trim() }))
  .filter(({ text }) => text !== '');

/** The page as a notebook, without links that lead out of its folder. */
function notebook(): string {
  const cells = parts.map(({ isCode, text }, index) => {
    const source = text.split(/(?<=\n)/);
    return isCode
      ? {
          cell_type: 'code',
          execution_count: null,
          id: `cell-${index}`,
          metadata: {},
          outputs: [],
          source,
        }
      : { cell_type: 'markdown', id: `cell-${index}`, metadata: {}, source };
  });
  const kernelspec = { display_name: 'Python 3', language: 'python', name: 'python3' };
  const whole = { cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 };
  return `${JSON.stringify(whole, null, 1)}\n`;
}

const works = (command: string, args: readonly string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const temporary = temporaryFolder();
const needed = ['numpy', 'safetensors', 'matplotlib'];
/** A Python with what the notebook needs, and with a Jupyter kernel if this is the full run. */
const python = ((): { command: string; hasKernel: boolean } | null => {
  if (full && works('python3', ['-m', 'venv', join(temporary.path, 'venv')])) {
    const command = join(temporary.path, 'venv/bin/python');
    const install = [
      ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'],
      ...['--retries', '1', '--timeout', '15'],
    ];
    if (works(command, [...install, ...needed, 'nbclient', 'ipykernel']))
      return { command, hasKernel: true };
    if (works(command, [...install, ...needed])) return { command, hasKernel: false };
  }
  return works('python3', ['-c', `import ${needed.join(', ')}`])
    ? { command: 'python3', hasKernel: false }
    : null;
})();

describe('the notebook', () => {
  let server: RunningServer;
  beforeAll(async () => {
    if (python !== null) server = await serve(temporary.path);
  });
  afterAll(async () => {
    if (python !== null) await server.close();
    temporary.remove();
  });

  it('has the code of the page', async () => {
    await expect(notebook()).toMatchFileSnapshot(notebookPath);
  });

  it.skipIf(python === null)(
    'posts, waits, reads the sums and plots (skipped without numpy, safetensors, matplotlib)',
    async () => {
      const env = { ...process.env, SAE_EVAL_URL: server.url };
      const { command, hasKernel } = python!;
      const script = join(temporary.path, 'run.py');
      writeFileSync(
        script,
        hasKernel
          ? [
              'import nbformat, nbclient',
              `notebook = nbformat.read(${JSON.stringify(notebookPath)}, as_version=4)`,
              'nbclient.NotebookClient(notebook, timeout=300).execute()',
              'for cell in notebook.cells:',
              '    for output in cell.get("outputs", []):',
              '        print(output.get("text", ""))',
            ].join('\n')
          : parts
              .filter(({ isCode }) => isCode)
              .map(({ text }) => text)
              .join('\n'),
      );
      const { stdout } = await promisify(execFile)(command, [script], {
        cwd: temporary.path,
        env,
      });
      expect(stdout).toContain('of 40 samples');
      const difference = Number(/nats per token: (-?[\d.]+)/.exec(stdout)![1]);
      const kl = (label: string): number =>
        Number(new RegExp(`^${label} ([\\d.]+) \\[`, 'm').exec(stdout)![1]);
      // The sums give the result's own numbers, but for rounding.
      expect(difference).toBeCloseTo(kl('RouteSAE') - kl('TopK'), 9);
      expect(readFileSync(join(temporary.path, 'frontier.png')).subarray(1, 4).toString()).toBe(
        'PNG',
      );
    },
    600_000,
  );
});
