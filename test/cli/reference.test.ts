/** The page on the command line names every command, option and field of a request. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '#src/cli/program.js';
import { parseGate } from '#src/cli/gate.js';
import { parseRequestText } from '#src/cli/request-file.js';
import { setField } from '#src/cli/set-field.js';
import { parseRequest } from '#src/evaluation/request/parse.js';
import { datasetSchema, requestFields, saeSpecSchema } from '#src/schema/index.js';
import { root } from '../golden/load.js';

const page = readFileSync(`${root}docs/reference/cli.md`, 'utf8');
const [commands, request] = page.split('## Request') as [string, string];

/** Commands with their parents' names: `keys add`. */
function leaves(command: Command, above = ''): { name: string; command: Command }[] {
  const name = `${above} ${command.name()}`.trim();
  return command.commands.length === 0
    ? [{ name, command }]
    : command.commands.flatMap((one) => leaves(one, name));
}

describe('the page on the command line', () => {
  it.each(leaves(createProgram()).map(({ name, command }) => [name, command] as const))(
    'names the options and choices of %s',
    (name, command) => {
      const row = commands.split('\n').find((line) => line.startsWith(`| \`${name}`))!;
      expect(row, name).toBeDefined();
      for (const { long, argChoices } of command.options) {
        expect(row).toContain(long);
        for (const choice of long === '--dtype' ? [] : (argChoices ?? []))
          expect(row).toContain(choice);
      }
    },
  );

  it.each([
    ...Object.keys(requestFields.shape).filter((name) => !['dataset', 'saes'].includes(name)),
    ...Object.keys(datasetSchema.shape).map((name) => `dataset.${name}`),
    ...Object.keys(saeSpecSchema.shape).map((name) => `saes[].${name}`),
  ])('names the field %s', (field) => expect(request).toContain(`\`${field}\``));

  it('has examples that hold', () => {
    const yaml = /```yaml\n(.*?)```/s.exec(page)![1]!;
    const parsed = parseRequestText(yaml, { name: 'page', format: 'yaml' });
    expect(parseRequest(parsed).saes).toMatchObject([{ k: 16 }, { k: 8, layer: 16 }]);
    const settings = [...page.matchAll(/--set '?([a-z][\w.*]*=[\w.]+)/g)].map(([, text]) => text!);
    expect(settings).toHaveLength(4);
    parseRequest(settings.reduce<unknown>(setField, parsed));
    const gates = [...page.matchAll(/'([^'\n]*\.strict\.[^'\n]*)'/g)].map(([, text]) => text!);
    expect(gates.map(parseGate)).toHaveLength(2);
  });
});
