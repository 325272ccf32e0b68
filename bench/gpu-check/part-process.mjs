/**
 * One part in a process of its own: `part-process.mjs NAME SETTINGS`. The names of its checks, then
 * a row for each, go to file descriptor 3 as lines of JSON, so that whoever started it knows what
 * was left if it ends early.
 */
import { writeSync } from 'node:fs';
import { rowOf } from './checks.mjs';

const [, , name, text] = process.argv;
const settings = JSON.parse(text);
const tell = (line) => writeSync(3, `${JSON.stringify(line)}\n`);

const { checks } = await import(`./checks/${name}.mjs`);
const all = checks(settings);
tell({ names: all.map((check) => check.name) });
for (const check of all) tell({ row: await rowOf(check, settings) });
