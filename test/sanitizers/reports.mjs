/** Reports of sanitizers, each once, with the place of its fault. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A frame of the sanitizer itself, such as its `memcpy`. */
const isRuntime = (frame) => /lib(asan|ubsan)\.so/.test(frame);

/** The faults in one report: what is wrong, and the frame in which it is. */
function faults(report) {
  const parts = report.split(/(?==+\d+==ERROR: )|(?<=\n)(?=\S+:\d+:\d+: runtime error: )/);
  return parts.flatMap((part) => {
    const what = /ERROR: (\w+: .+)|^(\S+): runtime error: (.+)/m.exec(part);
    if (what === null) return [];
    const frames = [...part.matchAll(/^ +#\d+ \S+ (.*)$/gm)].map(([, frame]) => frame);
    const place = what[2] ?? frames.find((frame) => !isRuntime(frame)) ?? 'nowhere';
    const text = (what[1] ?? what[3]).replace(/0x[0-9a-f]+|\bpc .*|==\d+==/g, '…').trim();
    return [{ text: `${text} at ${place}`, own: /sae_eval\.node|native\/src/.test(place) }];
  });
}

/** All faults that a folder of reports tells, with their number. */
export function readReports(folder) {
  const found = new Map();
  for (const name of readdirSync(folder).sort())
    for (const { text, own } of faults(readFileSync(join(folder, name), 'utf8'))) {
      const before = found.get(text);
      found.set(text, { text, own, count: (before?.count ?? 0) + 1 });
    }
  return [...found.values()];
}
