/** Labels for SAEs by what differs in their paths. */

/** Number of parts that all paths begin with. */
function shared(paths) {
  let count = 0;
  while (paths.every((parts) => count < parts.length && parts[count] === paths[0][count]))
    count += 1;
  return count;
}

/** @returns a label for each path; the paths themselves if nothing shorter tells them apart */
export function labelsOf(paths) {
  if (paths.length < 2) return paths.map(() => undefined);
  const split = paths.map((path) => path.split(/(?<=[/_-])|(?=\.[^./]*$)/));
  const start = shared(split);
  const rests = split.map((parts) => parts.slice(start));
  const end = shared(rests.map((parts) => parts.toReversed()));
  const labels = rests.map((parts) =>
    parts
      .slice(0, parts.length - end)
      .join('')
      .replace(/^[/_-]+|[/_-]+$/g, ''),
  );
  return new Set(labels).size === labels.length && !labels.includes('') ? labels : [...paths];
}
